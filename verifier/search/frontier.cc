#include "verifier/search/frontier.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/search/byte_stream.h"

namespace espalier::search {
namespace {

constexpr std::string_view kMagic = "ESPALIER-FRONTIER";
constexpr uint64_t kFormat = 2;
constexpr size_t kPrintBytes = sizeof(base::Fingerprint::Value);

absl::Status Refused(std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("checkpoint: ", absl::string_view(why.data(), why.size())));
}

base::Fingerprint::Value PrintOf(std::string_view bytes) {
  base::Fingerprint print;
  print.Add(bytes);
  return print.value();
}

void PutPrint(const base::Fingerprint::Value& value, ByteWriter& out) {
  for (const uint64_t word : value) out.Fixed(word);
}

// A bound only orders the search: the upper half of a float says enough.
uint64_t ShortBound(float bound) {
  return std::bit_cast<uint32_t>(bound) >> 16;
}
float LongBound(uint64_t bits) {
  const auto bound = std::bit_cast<float>(static_cast<uint32_t>(bits << 16));
  return std::isnan(bound) ? -INFINITY : bound;
}

// Domains in the order of their literals, so that neighbours share what comes first.
std::vector<uint32_t> Sorted(const SplitParts& parts) {
  std::vector<uint32_t> order(parts.count());
  std::iota(order.begin(), order.end(), 0U);
  const uint32_t* const literals = parts.literals.data();
  std::sort(order.begin(), order.end(), [&](uint32_t x, uint32_t y) {
    return std::lexicographical_compare(literals + parts.begin(x), literals + parts.end[x],
                                        literals + parts.begin(y), literals + parts.end[y]);
  });
  return order;
}

void PutParts(const SplitParts& parts, ByteWriter& out) {
  out.Number(parts.count());
  uint64_t before = 0, before_end = 0;
  for (const uint32_t d : Sorted(parts)) {
    const uint64_t begin = parts.begin(d), end = parts.end[d];
    uint64_t shared = 0;
    while (before + shared < before_end && begin + shared < end &&
           parts.literals[before + shared] == parts.literals[begin + shared])
      ++shared;
    out.Number(shared);
    out.Number(end - begin - shared);
    for (uint64_t k = begin + shared; k < end; ++k) out.Number(parts.literals[k]);
    out.Number(ShortBound(parts.bound[d]));
    before = begin;
    before_end = end;
  }
}

bool TakeParts(ByteReader& in, int64_t neurons, SplitParts& parts) {
  const uint64_t count = in.Number();
  uint64_t before = 0;
  for (uint64_t d = 0; d < count && in.ok(); ++d) {
    const uint64_t shared = in.Number(), more = in.Number();
    if (!in.ok() || shared > parts.literals.size() - before || more > in.left()) return false;
    const uint64_t begin = parts.literals.size();
    for (uint64_t k = 0; k < shared; ++k) parts.literals.push_back(parts.literals[before + k]);
    for (uint64_t k = 0; k < more; ++k) {
      const uint64_t literal = in.Number();
      if (!in.ok() || literal / 2 >= static_cast<uint64_t>(neurons)) return false;
      parts.literals.push_back(static_cast<uint32_t>(literal));
    }
    parts.Close(LongBound(in.Number()));
    before = begin;
  }
  return in.ok();
}

bool Less(const BoxPart* x, const BoxPart* y) {
  if (x->box != y->box) return x->box < y->box;
  if (x->lower != y->lower) return x->lower < y->lower;
  return x->upper < y->upper;
}

// Ends that are those of the box before are a bit each.
void PutEnds(const std::vector<double>& ends, const std::vector<double>& before, ByteWriter& out) {
  uint64_t same = 0;
  for (size_t k = 0; k < ends.size(); ++k) {
    if (k % 32 == 0) {
      same = 0;
      for (size_t j = k; j < std::min(k + 32, ends.size()); ++j) {
        if (j < before.size() && std::bit_cast<uint64_t>(ends[j]) == std::bit_cast<uint64_t>(before[j]))
          same |= uint64_t{1} << (j - k);
      }
      out.Number(same);
    }
    if ((same >> (k % 32) & 1) == 0) out.Fixed(std::bit_cast<uint64_t>(ends[k]));
  }
}

void TakeEnds(ByteReader& in, const std::vector<double>& before, std::vector<double>& ends) {
  uint64_t same = 0;
  for (size_t k = 0; k < ends.size() && in.ok(); ++k) {
    if (k % 32 == 0) same = in.Number();
    const bool known = (same >> (k % 32) & 1) != 0 && k < before.size();
    ends[k] = known ? before[k] : std::bit_cast<double>(in.Fixed());
  }
}

void PutBoxes(const std::vector<BoxPart>& boxes, ByteWriter& out) {
  std::vector<const BoxPart*> order;
  for (const BoxPart& box : boxes) order.push_back(&box);
  std::sort(order.begin(), order.end(), Less);
  out.Number(order.size());
  const BoxPart none;
  const BoxPart* before = &none;
  for (const BoxPart* box : order) {
    out.Number(static_cast<uint64_t>(box->box));
    PutEnds(box->lower, before->lower, out);
    PutEnds(box->upper, before->upper, out);
    out.Number(box->targets.size());
    for (const int32_t t : box->targets) out.Number(static_cast<uint64_t>(t));
    out.Number(ShortBound(box->bound));
    before = box;
  }
}

// Inside the problem's own box, an interval in every free input.
bool Fits(const BoxPart& part, const Problem& problem) {
  const api::Box& whole = problem.boxes[static_cast<size_t>(part.box)];
  size_t k = 0;
  for (size_t i = 0; i < whole.lower.size(); ++i) {
    if (!(whole.lower[i] < whole.upper[i])) continue;
    if (!(whole.lower[i] <= part.lower[k] && part.lower[k] <= part.upper[k] &&
          part.upper[k] <= whole.upper[i]))
      return false;
    ++k;
  }
  return !part.targets.empty();
}

bool TakeBoxes(ByteReader& in, const Problem& problem, std::vector<BoxPart>& boxes) {
  const uint64_t count = in.Number();
  const BoxPart none;
  for (uint64_t b = 0; b < count && in.ok(); ++b) {
    BoxPart part;
    const uint64_t box = in.Number();
    if (!in.ok() || box >= problem.boxes.size()) return false;
    part.box = static_cast<int32_t>(box);
    const auto free = static_cast<size_t>(problem.FreeInputs(part.box));
    part.lower.resize(free);
    part.upper.resize(free);
    const BoxPart& before = boxes.empty() ? none : boxes.back();
    TakeEnds(in, before.lower, part.lower);
    TakeEnds(in, before.upper, part.upper);
    const uint64_t targets = in.Number();
    for (uint64_t k = 0; k < targets && in.ok(); ++k) {
      const uint64_t t = in.Number();
      if (t >= problem.targets.size() || problem.targets[t].box != part.box) return false;
      part.targets.push_back(static_cast<int32_t>(t));
    }
    part.bound = LongBound(in.Number());
    if (!in.ok() || !Fits(part, problem)) return false;
    boxes.push_back(std::move(part));
  }
  return in.ok();
}

bool TakeBody(ByteReader& in, const Problem& problem, int64_t neurons, Frontier& frontier) {
  frontier.inputs_split = in.Number() != 0;
  frontier.domains = static_cast<int64_t>(in.Number());
  frontier.splits = static_cast<int64_t>(in.Number());
  frontier.max_open = static_cast<int64_t>(in.Number());
  frontier.seconds = std::bit_cast<double>(in.Fixed());
  if (frontier.domains < 0 || frontier.splits < 0 || !(frontier.seconds >= 0)) return false;
  for (size_t t = 0; t < problem.targets.size(); ++t) frontier.refuted.push_back(in.Number() != 0);
  for (size_t b = 0; b < problem.boxes.size(); ++b) {
    const uint64_t stage = in.Number();
    if (stage > static_cast<uint64_t>(BoxStage::kEach)) return false;
    frontier.stages.push_back(static_cast<BoxStage>(stage));
  }
  const uint64_t open = in.Number();
  for (uint64_t k = 0; k < open && in.ok(); ++k) {
    const uint64_t t = in.Number();
    if (t >= problem.targets.size() || frontier.refuted[t] != 0) return false;
    SplitParts& parts = frontier.open[static_cast<int32_t>(t)];
    // A target without an open part would be refuted, and say so.
    if (!TakeParts(in, neurons, parts) || parts.count() == 0) return false;
  }
  return TakeBoxes(in, problem, frontier.boxes) && in.ok() && in.left() == 0;
}

// Input splits list everything: a target that is neither refuted nor in any box would have been forgotten.
bool ListsAll(const Frontier& frontier, const Problem& problem) {
  if (!frontier.inputs_split) return true;
  std::vector<bool> listed(problem.targets.size(), false);
  for (const BoxPart& box : frontier.boxes) {
    for (const int32_t t : box.targets) listed[static_cast<size_t>(t)] = true;
  }
  for (size_t t = 0; t < listed.size(); ++t) {
    if (!listed[t] && frontier.refuted[t] == 0 && problem.targets[t].rows > 0) return false;
  }
  return true;
}

}  // namespace

std::string EncodeFrontier(const Frontier& frontier, const base::Fingerprint::Value& key) {
  ByteWriter out;
  out.Bytes(kMagic);
  out.Number(kFormat);
  PutPrint(key, out);
  out.Number(frontier.inputs_split ? 1 : 0);
  out.Number(static_cast<uint64_t>(frontier.domains));
  out.Number(static_cast<uint64_t>(frontier.splits));
  out.Number(static_cast<uint64_t>(frontier.max_open));
  out.Fixed(std::bit_cast<uint64_t>(frontier.seconds));
  for (const uint8_t refuted : frontier.refuted) out.Number(refuted);
  for (const BoxStage stage : frontier.stages) out.Number(static_cast<uint64_t>(stage));
  out.Number(frontier.open.size());
  for (const auto& [t, parts] : frontier.open) {
    out.Number(static_cast<uint64_t>(t));
    PutParts(parts, out);
  }
  PutBoxes(frontier.boxes, out);
  PutPrint(PrintOf(out.bytes()), out);
  return std::move(out).Take();
}

absl::StatusOr<Frontier> DecodeFrontier(std::string_view bytes, const base::Fingerprint::Value& key,
                                        const Problem& problem, int64_t neurons) {
  if (bytes.substr(0, kMagic.size()) != kMagic) return Refused("these bytes are none");
  if (bytes.size() < kMagic.size() + 2 * kPrintBytes + 1) return Refused("it is cut off");
  const std::string_view content = bytes.substr(0, bytes.size() - kPrintBytes);
  ByteReader sum(bytes.substr(content.size()));
  for (const uint64_t word : PrintOf(content)) {
    if (sum.Fixed() != word) return Refused("it is cut off or damaged");
  }
  ByteReader in(content.substr(kMagic.size()));
  if (in.Number() != kFormat) return Refused("its format is that of another version");
  for (const uint64_t word : key) {
    if (in.Fixed() != word)
      return Refused("it belongs to another model, another query or another version of the engine");
  }
  Frontier frontier;
  if (!TakeBody(in, problem, neurons, frontier) || !ListsAll(frontier, problem))
    return Refused("it states what cannot be");
  return frontier;
}

}  // namespace espalier::search
