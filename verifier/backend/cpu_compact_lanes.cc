// What goes into the lanes of a tile and comes out of them; cpu_compact_tile.cc has the passes.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "verifier/backend/cpu_compact_tile.h"

namespace espalier::backend {

namespace {

// So few lanes are loaded and given back one by one; more of them, all lanes of the tile at once.
constexpr size_t kFewLanes = 3;

constexpr float kStep = 1.0f / 255.0f;  // of slopes that are kept as bytes, in units of their range

struct ByteSlopes {
  const float *lo, *range;
  const uint8_t* bytes;
};

// Apart from what scatters and gathers: what lies side by side is made with vectors.
void SlopesOfBytes(const ByteSlopes& from, int64_t count, float* to) {
  for (int64_t j = 0; j < count; ++j) {
    to[j] = from.lo[j] + from.range[j] * (static_cast<float>(from.bytes[j]) * kStep);
  }
}

// As CompactKernels::to_bytes, operation by operation: company must not show.
void BytesOfSlopes(int64_t count, const float* lo, const float* scale, const float* from, uint8_t* to) {
  for (int64_t j = 0; j < count; ++j) {
    float at = (from[j] - lo[j]) * scale[j];
    at = at < 0.0f ? 0.0f : at;
    at = at > 255.0f ? 255.0f : at;
    to[j] = static_cast<uint8_t>(static_cast<int32_t>(at + 0.5f));
  }
}

typedef uint8_t Bytes16 __attribute__((vector_size(16)));

// Sixteen neurons of sixteen lanes, [neurons][stride], the other way round: four rounds of taking bytes from
// two halves in turns.
void Transpose16(const uint8_t* from, int64_t stride, Bytes16 (&rows)[16]) {
  constexpr Bytes16 kFirst = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
  constexpr Bytes16 kSecond = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  for (int i = 0; i < 16; ++i) std::memcpy(&rows[i], from + i * stride, 16);
  for (int round = 0; round < 4; ++round) {
    Bytes16 next[16];
    for (int i = 0; i < 8; ++i) {
      next[2 * i] = __builtin_shuffle(rows[i], rows[i + 8], kFirst);
      next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + 8], kSecond);
    }
    std::copy_n(next, 16, rows);
  }
}

}  // namespace

// False when no lane has a job any more.
bool CompactTile::Fill(CompactQueue& queue) {
  int64_t working = 0;
  fresh_.clear();
  for (int64_t l = 0; l < lanes_; ++l) {
    if (domain(l) == nullptr) {
      const CompactJob next = queue.Next();
      if (next.from != nullptr) {
        Load(l, next);
        fresh_.push_back(static_cast<int32_t>(l));
      }
    }
    working += domain(l) != nullptr ? 1 : 0;
  }
  if (!fresh_.empty()) {
    LoadSlopes();
    LoadSplits();
  } else if (working > 0 && working <= lanes_ / 2 && lanes_ == kMostLanes && !settings_.points) {
    Narrow();
  }
  return working > 0;
}

// The queue is empty, and what is left fits into half of the lanes: a pass of these costs half as much. Only
// domains are under way then, for trials end with their first pass; what a pass makes anew is not moved.
void CompactTile::Narrow() {
  int32_t from[kMostLanes / 2] = {}, to[kMostLanes] = {};
  int32_t count = 0;
  for (int32_t l = 0; l < kMostLanes; ++l) {
    if (domain(l) == nullptr) continue;
    from[count] = l;
    to[l] = count++;
  }
  for (int32_t l = 0; l < count; ++l) MoveLane(from[l], l);
  lanes_ = kMostLanes / 2;
  for (Buffer<float>* buffer : {&alpha_, &first_, &second_, &best_}) {
    float* wide = buffer->data();
    float* narrow = wide;
    for (int64_t j = 0; j < learning_; ++j, wide += kMostLanes, narrow += kMostLanes / 2) {
      float own[kMostLanes / 2];
      for (int32_t l = 0; l < kMostLanes / 2; ++l) own[l] = wide[from[l]];
      std::copy_n(own, kMostLanes / 2, narrow);
    }
  }
  for (auto& stage : splits_) {
    for (Split& split : stage) split.lane = to[split.lane];
  }
}

void CompactTile::MoveLane(int64_t from, int64_t to) {
  if (from == to) return;
  job_[to] = std::exchange(job_[from], CompactJob());
  bound_[to] = bound_[from];
  passes_[to] = passes_[from];
  rate_[to] = rate_[from];
  beta_rate_[to] = beta_rate_[from];
  correction1_[to] = correction1_[from];
  correction2_[to] = correction2_[from];
  plane_[to] = plane_[from];
  plane_first_[to] = plane_first_[from];
  plane_second_[to] = plane_second_[from];
  plane_scale_[to] = plane_scale_[from];
}

// Trials of one domain share its slopes: the few different ones of a tile are made once, in pieces that stay
// in the nearest cache, and spread over the lanes.
void CompactTile::LoadSlopes() {
  std::vector<const uint8_t*> starts;  // null: adaptive
  std::fill_n(start_of_, lanes_, -1);
  for (int32_t l : fresh_) {
    const uint8_t* start = domain(l)->start.empty() ? nullptr : domain(l)->start.data();
    if (starts.empty() || starts.back() != start) starts.push_back(start);
    start_of_[l] = static_cast<int32_t>(starts.size()) - 1;
  }
  const CompactKernels& k = program_->kernels;
  const int64_t width = k.spread_width;
  if (on_cone() || fresh_.size() <= kFewLanes || static_cast<int64_t>(starts.size()) > width) {
    return LoadSlopesOneByOne(starts);
  }
  alignas(64) float table[kCompactPiece * 16] = {};
  for (int64_t begin = 0; begin < learning_; begin += kCompactPiece) {
    const int64_t count = std::min(kCompactPiece, learning_ - begin);
    const float *lo = program_->lo.data() + begin, *range = program_->range.data() + begin;
    const float* adaptive = program_->lines.free_start.data() + begin;
    for (size_t p = 0; p < starts.size(); ++p) {
      const uint8_t* start = starts[p] == nullptr ? nullptr : starts[p] + begin;
      float slopes[kCompactPiece];
      if (start != nullptr) SlopesOfBytes({lo, range, start}, count, slopes);
      const float* own = start == nullptr ? adaptive : slopes;
      for (int64_t j = 0; j < count; ++j) table[j * width + static_cast<int64_t>(p)] = own[j];
    }
    k.spread(count, {table, start_of_}, alpha_.data() + begin * lanes_, lanes_);
  }
}

// Of neurons begin .. begin + count - 1. `start`: null for the adaptive ones.
void CompactTile::StartsOf(const uint8_t* start, int64_t begin, int64_t count, float* to) const {
  if (start == nullptr) {
    std::copy_n(program_->lines.free_start.data() + begin, count, to);
  } else {
    SlopesOfBytes({program_->lo.data() + begin, program_->range.data() + begin, start + begin}, count, to);
  }
}

// In pieces, and in each neuron by neuron: a neuron's lanes lie in one or two cache lines, which are touched
// once for all.
void CompactTile::LoadSlopesOneByOne(const std::vector<const uint8_t*>& starts) {
  float slopes[kMostLanes][kCompactPiece];
  const auto load = [&](int64_t begin, int64_t count) {
    for (size_t p = 0; p < starts.size(); ++p) StartsOf(starts[p], begin, count, slopes[p]);
    for (int64_t j = 0; j < count; ++j) {
      float* alpha = alpha_.data() + (begin + j) * lanes_;
      for (int32_t l : fresh_) alpha[l] = slopes[start_of_[l]][j];
    }
  };
  ForTouched([&](int32_t begin, int32_t end) {
    for (int64_t j = begin; j < end; j += kCompactPiece) load(j, std::min(kCompactPiece, end - j));
  });
}

void CompactTile::Load(int64_t lane, const CompactJob& job) {
  job_[lane] = job;
  bound_[lane] = -std::numeric_limits<double>::infinity();
  passes_[lane] = 0;
  rate_[lane] = static_cast<float>(settings_.alpha_rate);
  beta_rate_[lane] = settings_.beta_rate;
  plane_[lane] = 0;
  plane_first_[lane] = plane_second_[lane] = plane_scale_[lane] = 0;
}

// Neighbouring lanes that try one domain have all of its splits in common.
void CompactTile::LoadSplits() {
  for (size_t begin = 0, end = 0; begin < fresh_.size(); begin = end) {
    const int32_t lane = fresh_[begin];
    const CompactDomain* from = domain(lane);
    for (end = begin + 1; end < fresh_.size(); ++end) {
      const int32_t next = fresh_[end];
      if (job_[next].trial == nullptr || domain(next) != from || next != fresh_[end - 1] + 1) break;
    }
    const auto count = static_cast<int32_t>(end - begin);
    for (size_t k = 0; k < from->splits.size(); ++k) {
      LoadSplit(from->splits[k], {.lane = lane, .count = count, .entry = static_cast<int32_t>(k)});
    }
    for (size_t i = begin; i < end; ++i) {
      const CompactTrial* trial = job_[fresh_[i]].trial;
      if (trial != nullptr) LoadSplit(trial->split, {.lane = fresh_[i]});
    }
  }
}

void CompactTile::LoadSplit(const CompactSplit& split, Split own) {
  const auto u = static_cast<size_t>(split.neuron);
  const auto s = static_cast<size_t>(program_->stage_of[u]);
  own.neuron = split.neuron - program_->network.stages[s].first_unstable;
  own.sign = split.sign;
  own.slope = split.sign > 0 ? program_->lines.right[u] : program_->lines.left[u];
  own.beta = own.best = split.beta;
  splits_[s].push_back(own);
}

// Gives back the jobs that are done, lanes side by side where their arrays are.
void CompactTile::FinishDone() {
  for (auto& stage : splits_) {
    std::erase_if(stage, [&](const Split& split) {
      if (done_[split.lane] == 0) return false;
      CompactDomain* into = job_[split.lane].into;
      if (into != nullptr) into->splits[static_cast<size_t>(split.entry)].beta = split.best;
      return true;
    });
  }
  if (settings_.candidates > 0) Rank();
  if (settings_.slopes) StoreSlopes();
  if (settings_.exact_slopes) {
    for (int32_t l : finished_) StoreExactSlopesOf(l);
  }
  for (int32_t l : finished_) FinishLane(l);
}

void CompactTile::FinishLane(int64_t lane) {
  const CompactJob job = std::exchange(job_[lane], CompactJob());
  done_[lane] = 0;
  if (job.trial != nullptr) {
    job.trial->bound = bound_[lane];
    return;
  }
  CompactDomain& domain = *job.into;
  domain.bound = bound_[lane];
  if (settings_.points && passes_[lane] > 1) {
    StoreMeansOf(lane, domain);
  } else {
    domain.point.clear();
    domain.coefficients.clear();
  }
  if (settings_.corners) {
    const int64_t inputs = program_->network.inputs;
    domain.corner.resize(static_cast<size_t>(inputs));
    for (int64_t i = 0; i < inputs; ++i) {
      domain.corner[static_cast<size_t>(i)] = slots_.data()[i * lanes_ + lane];
    }
  }
}

void CompactTile::StoreMeansOf(int64_t lane, CompactDomain& into) const {
  const auto copy = [&](const std::vector<float>& from, std::vector<float>& to) {
    to.resize(from.size() / static_cast<size_t>(lanes_));
    for (size_t i = 0; i < to.size(); ++i)
      to[i] = from[i * static_cast<size_t>(lanes_) + static_cast<size_t>(lane)];
  };
  copy(mean_values_, into.point);
  copy(mean_coefficients_, into.coefficients);
}

// Slopes of neurons that are not touched are where they began.
void CompactTile::StoreExactSlopesOf(int64_t lane) {
  std::vector<float>& to = job_[lane].into->exact_slopes;
  const uint8_t* start = domain(lane)->start.empty() ? nullptr : domain(lane)->start.data();
  const float* adaptive = program_->lines.free_start.data();
  if (on_cone() && start == nullptr) to.assign(adaptive, adaptive + learning_);
  to.resize(static_cast<size_t>(learning_));
  if (on_cone() && start != nullptr) {
    SlopesOfBytes({program_->lo.data(), program_->range.data(), start}, learning_, to.data());
  }
  ForTouched([&](int32_t begin, int32_t end) {
    for (int32_t j = begin; j < end; ++j) {
      to[static_cast<size_t>(j)] = best_.data()[j * lanes_ + lane];
    }
  });
}

void CompactTile::StoreSlopesOf(int64_t lane) {
  uint8_t* to = job_[lane].into->slopes.data();
  const absl::Span<const uint8_t> start = domain(lane)->start;
  const float *lo = program_->lo.data(), *scale = program_->byte_scale.data();
  if (on_cone() && !start.empty()) std::copy_n(start.data(), learning_, to);
  if (on_cone() && start.empty()) BytesOfSlopes(learning_, lo, scale, program_->lines.free_start.data(), to);
  const auto store = [&](int64_t begin, int64_t count) {
    float own[kCompactPiece];
    for (int64_t j = 0; j < count; ++j) own[j] = best_.data()[(begin + j) * lanes_ + lane];
    BytesOfSlopes(count, lo + begin, scale + begin, own, to + begin);
  };
  ForTouched([&](int32_t begin, int32_t end) {
    for (int64_t j = begin; j < end; j += kCompactPiece) store(j, std::min(kCompactPiece, end - j));
  });
}

// bytes [neurons][lanes] of neurons begin .. begin + count - 1 to the finished domains.
void CompactTile::HandOut(const uint8_t* bytes, int64_t begin, int64_t count) {
  int64_t j = 0;
  for (; j + 16 <= count; j += 16) {
    Bytes16 rows[kMostLanes / 16][16];
    for (int64_t l = 0; l < lanes_; l += 16) Transpose16(bytes + j * lanes_ + l, lanes_, rows[l / 16]);
    for (int32_t l : finished_) {
      std::memcpy(job_[l].into->slopes.data() + begin + j, &rows[l / 16][l % 16], 16);
    }
  }
  for (int32_t l : finished_) {
    uint8_t* to = job_[l].into->slopes.data() + begin;
    for (int64_t i = j; i < count; ++i) to[i] = bytes[i * lanes_ + l];
  }
}

void CompactTile::StoreSlopes() {
  for (int32_t l : finished_) job_[l].into->slopes.resize(static_cast<size_t>(learning_));
  if (on_cone() || finished_.size() <= kFewLanes) {
    for (int32_t l : finished_) StoreSlopesOf(l);
    return;
  }
  uint8_t bytes[kCompactPiece * kMostLanes];
  for (int64_t begin = 0; begin < learning_; begin += kCompactPiece) {
    const int64_t count = std::min(kCompactPiece, learning_ - begin);
    program_->kernels.to_bytes(count, program_->lo.data() + begin, program_->byte_scale.data() + begin,
                               best_.data() + begin * lanes_, bytes, lanes_);
    HandOut(bytes, begin, count);
  }
}

// The score of Bunel et al. 2020 (BaBSR) from the last pass: on the chord, its gap at the kink, which a split
// removes on both sides; on the free line, a share of it. A few neurons at a time are looked at one by one
// only where the best of them is good enough. What is refuted is not split.
void CompactTile::Rank() {
  constexpr int64_t kFew = 8;
  alignas(64) float scores[kFew * kMostLanes], most[kMostLanes];
  float threshold[kMostLanes] = {};
  std::vector<int32_t> ranked;
  for (int32_t l : finished_) {
    job_[l].into->candidates.clear();
    if (!(bound_[l] > 0)) ranked.push_back(l);
  }
  // Those nearest to the output first: they have the larger scores, and leave the others little to do.
  const int64_t pieces = ranked.empty() ? 0 : (learning_ + kFew - 1) / kFew;
  for (int64_t piece = pieces; piece-- > 0;) {
    const int64_t begin = piece * kFew;
    const auto first = static_cast<int32_t>(begin);
    const TileLines lines = LinesAt(first, std::min(kFew, learning_ - begin));
    program_->kernels.score(lines, saved_.data() + begin * lanes_, scores, most, lanes_);
    for (int32_t l : ranked) {
      if (most[l] > threshold[l]) RankFew(l, first, lines.count, scores, threshold[l]);
    }
  }
}

// `threshold`: what a score has to exceed to be kept.
void CompactTile::RankFew(int64_t lane, int32_t first, int64_t count, const float* scores, float& threshold) {
  const auto keep = static_cast<size_t>(settings_.candidates);
  auto& best = job_[lane].into->candidates;
  for (int64_t j = 0; j < count; ++j) {
    const float score = scores[j * lanes_ + lane];
    if (!(score > threshold)) continue;
    if (best.size() < keep) best.emplace_back();
    size_t at = best.size() - 1;
    for (; at > 0 && best[at - 1].second < score; --at) best[at] = best[at - 1];
    best[at] = {first + static_cast<int32_t>(j), score};
    if (best.size() == keep) threshold = best.back().second;
  }
}

}  // namespace espalier::backend
