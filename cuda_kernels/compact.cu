#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "cuda_kernels/compact.h"
#include "cuda_kernels/compact_bodies.cuh"
#include "cuda_kernels/element_bodies.cuh"
#include "cuda_kernels/graph.h"
#include "verifier/backend/compact_rows.h"
#include "verifier/base/status.h"

namespace espalier::cuda_kernels {
namespace {

using backend::CompactDomain;
using backend::CompactNetwork;
using backend::CompactSettings;
using backend::CompactStage;
using StatePtr = std::shared_ptr<CudaState>;

constexpr int64_t kGroupRows = 8;  // of PullBody
constexpr int64_t kFewestLanes = kWarp, kMostLanes = 8192;
constexpr size_t kMostGraphs = 16;

// Rows on the device, in the form that PullBody reads.
struct DeviceRows {
  static absl::StatusOr<DeviceRows> From(const StatePtr& state, const backend::GroupedRows& rows) {
    DeviceRows made;
    made.count = static_cast<int64_t>(rows.groups().size());
    for (const backend::PullGroup& group : rows.groups()) {
      made.entries += static_cast<double>(group.columns) * group.rows;
    }
    ESPALIER_ASSIGN_OR_RETURN(made.groups, DeviceArray<backend::PullGroup>::From(state, rows.groups()));
    ESPALIER_ASSIGN_OR_RETURN(made.columns, DeviceArray<int32_t>::From(state, rows.columns()));
    ESPALIER_ASSIGN_OR_RETURN(made.weights, DeviceArray<float>::From(state, rows.weights()));
    return made;
  }
  int64_t count = 0;
  double entries = 0;
  DeviceArray<backend::PullGroup> groups;
  DeviceArray<int32_t> columns;
  DeviceArray<float> weights;
};

struct DeviceStage {
  DeviceRows forward, backward;
  DeviceArray<int32_t> source;
  std::vector<int32_t> relaxed_by;  // activations that read it and are not in `backward`
};

std::vector<float> Rounded(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

class CudaCompact final : public backend::CompactBounder {
 public:
  CudaCompact(StatePtr state, const CompactNetwork& network)
      : state_(std::move(state)), network_(backend::WithoutRows(network)) {}
  absl::Status Open(const CompactNetwork& network);
  absl::Status Bound(absl::Span<CompactDomain> domains, const CompactSettings& settings) override;
  void SetLines(int32_t first, const backend::CompactLines& lines) override;
  std::map<std::string, int64_t> TakeCounts() override {
    const CudaState::Counts done = std::exchange(state_->counts(), {});
    return {{"cuda_launches", done.launches},
            {"cuda_graph_replays", done.replays},
            {"cuda_graph_kernels", done.replayed},
            {"cuda_captures_failed", done.captures_failed},
            {"cuda_lanes_halved", done.lanes_halved}};
  }

 private:
  // One group of domains and what the whole of it has in common.
  struct Group {
    absl::Span<CompactDomain> domains;
    const CompactSettings& settings;
    size_t start = 0;      // stage whose slots are bounded
    int64_t learning = 0;  // unstable neurons before it
    bool has_output = false, has_input = false, has_start = false;
    std::vector<LaneSplit> splits = {};
    std::vector<size_t> split_entry = {};  // of its domain
  };
  using Shape = std::tuple<int64_t, size_t, int64_t, double, bool, bool>;
  struct Graphs {
    Shape shape;
    LaunchGraph first, next;  // backward; forward and backward
  };

  CompactArrays Layout(char* base, int64_t lanes, int64_t* bytes) const;
  absl::Status Reserve(int64_t lanes);
  absl::Status BoundGroup(Group group);
  absl::Status Load(Group& group);
  void LoadLanes(const Group& group);
  void LoadMatrices(const Group& group);
  absl::Status Run(const Group& group);
  void Pull(const DeviceRows& rows, const float* bias, const CompactStage* lines);
  void Backward(const Group& group);
  void Forward(const Group& group);
  absl::Status Take(Group& group);
  absl::Status TakeSlopes(const Group& group);
  absl::Status TakeCandidates(const Group& group, const std::vector<double>& bound);
  template <class T>
  absl::Status Fetch(const DeviceArray<T>& from, std::vector<T>* to);
  const CompactStage& stage(size_t s) const { return network_.stages[s]; }
  int64_t width(size_t s) const { return static_cast<int64_t>(stage(s).source.size()); }

  StatePtr state_;
  CompactNetwork network_;
  std::vector<DeviceStage> stages_;
  DeviceRows to_inputs_;
  std::vector<CompactLine> host_lines_;
  DeviceArray<CompactLine> lines_;
  DeviceArray<float> bias_, lower_, upper_;
  DeviceArray<int32_t> neuron_;  // per slot
  int64_t most_ = 0;             // lanes that memory has room for
  int64_t reserved_ = 0;         // lanes that `room_` has
  DeviceArray<char> room_;
  CompactArrays a_{};
  std::vector<Graphs> graphs_;
};

CompactArrays CudaCompact::Layout(char* base, int64_t lanes, int64_t* bytes) const {
  int64_t used = 0;
  const auto take = [&]<class T>(T*& array, int64_t count) {
    array = reinterpret_cast<T*>(base + used);
    used += (count * static_cast<int64_t>(sizeof(T)) + 255) / 256 * 256;
  };
  CompactArrays a{};
  a.lanes = lanes;
  a.inputs = network_.inputs;
  a.lines = lines_.data();
  const int64_t unstable = network_.unstable() * lanes;
  take(a.slots, network_.slots * lanes);
  for (float** array : {&a.alpha, &a.first, &a.second, &a.best, &a.saved}) take(*array, unstable);
  take(a.split, unstable);
  take(a.start, unstable);
  take(a.going, lanes);
  take(a.better, lanes);
  take(a.pace, lanes);
  take(a.state, lanes);
  take(a.bound, lanes);
  for (double** array : {&a.partial, &a.plane_value, &a.row_size}) take(*array, kStrips * lanes);
  take(a.output, network_.outputs() * lanes);
  take(a.input, network_.inputs * lanes);
  take(a.normal, network_.inputs);
  take(a.plane, lanes);
  *bytes = used;
  return a;
}

absl::Status CudaCompact::Open(const CompactNetwork& network) {
  const backend::ProgramRows rows(network, {.group_rows = kGroupRows, .lines_as_rows = true});
  std::vector<int32_t> neuron(static_cast<size_t>(network_.slots), -1);
  for (size_t s = 0; s < network_.stages.size(); ++s) {
    for (int32_t j = 0; j < width(s); ++j) {
      neuron[static_cast<size_t>(stage(s).begin + j)] = stage(s).first_unstable + j;
    }
    DeviceStage made;
    made.relaxed_by = rows.relaxed_by[s];
    ESPALIER_ASSIGN_OR_RETURN(made.forward, DeviceRows::From(state_, rows.forward[s]));
    ESPALIER_ASSIGN_OR_RETURN(made.backward, DeviceRows::From(state_, rows.backward[s]));
    ESPALIER_ASSIGN_OR_RETURN(made.source, DeviceArray<int32_t>::From(state_, stage(s).source));
    stages_.push_back(std::move(made));
  }
  ESPALIER_ASSIGN_OR_RETURN(to_inputs_, DeviceRows::From(state_, rows.to_inputs));
  ESPALIER_ASSIGN_OR_RETURN(bias_, DeviceArray<float>::From(state_, rows.bias));
  ESPALIER_ASSIGN_OR_RETURN(neuron_, DeviceArray<int32_t>::From(state_, neuron));
  ESPALIER_ASSIGN_OR_RETURN(lower_, DeviceArray<float>::From(state_, Rounded(network_.lower)));
  ESPALIER_ASSIGN_OR_RETURN(upper_, DeviceArray<float>::From(state_, Rounded(network_.upper)));
  ESPALIER_ASSIGN_OR_RETURN(lines_, DeviceArray<CompactLine>::Of(state_, network_.unstable()));
  host_lines_.resize(static_cast<size_t>(network_.unstable()));
  SetLines(0, network_.lines);
  // Half of what is left on the device is for domains.
  int64_t bytes = 0;
  for (most_ = kMostLanes; most_ >= kFewestLanes; most_ /= 2) {
    Layout(nullptr, most_, &bytes);
    if (bytes <= state_->bytes_left() / 2) return Reserve(kFewestLanes);
  }
  return absl::ResourceExhaustedError("the card has no room for the network that is left and its domains");
}

void CudaCompact::SetLines(int32_t first, const backend::CompactLines& lines) {
  const auto count = static_cast<size_t>(lines.size()), from = static_cast<size_t>(first);
  for (size_t j = 0; j < count; ++j) {
    host_lines_[from + j] = {static_cast<float>(lines.left[j]), static_cast<float>(lines.right[j]),
                             static_cast<float>(lines.chord_slope[j]),
                             static_cast<float>(lines.chord_intercept[j]),
                             static_cast<float>(lines.free_start[j])};
  }
  state_->Upload(host_lines_.data() + from, static_cast<int64_t>(count * sizeof(CompactLine)),
                 lines_.data() + from);
}

// Room for a power of two of lanes: shapes repeat, and lanes without a domain cost next to nothing.
absl::Status CudaCompact::Reserve(int64_t lanes) {
  int64_t rounded = kFewestLanes, bytes = 0;
  while (rounded < lanes) rounded *= 2;
  if (rounded > reserved_) {
    graphs_.clear();
    reserved_ = 0;
    room_ = {};
    Layout(nullptr, rounded, &bytes);
    ESPALIER_ASSIGN_OR_RETURN(room_, DeviceArray<char>::Of(state_, bytes));
    reserved_ = rounded;
  }
  a_ = Layout(room_.data(), rounded, &bytes);
  return absl::OkStatus();
}

absl::Status CudaCompact::Bound(absl::Span<CompactDomain> domains, const CompactSettings& settings) {
  if (!state_->Going()) return state_->status();
  Group group{domains, settings};
  group.start =
      settings.start_stage < 0 ? network_.stages.size() - 1 : static_cast<size_t>(settings.start_stage);
  for (size_t s = 0; s < group.start; ++s) group.learning += width(s);
  for (size_t begin = 0; begin < domains.size();) {
    group.domains = domains.subspan(begin, static_cast<size_t>(most_));
    const absl::Status done = BoundGroup(group);
    if (absl::IsResourceExhausted(done) && most_ > kFewestLanes) {
      most_ /= 2;
      ++state_->counts().lanes_halved;
      continue;
    }
    ESPALIER_RETURN_IF_ERROR(done);
    begin += group.domains.size();
  }
  return state_->Going() ? absl::OkStatus() : state_->status();
}

absl::Status CudaCompact::BoundGroup(Group group) {
  ESPALIER_RETURN_IF_ERROR(Reserve(static_cast<int64_t>(group.domains.size())));
  ESPALIER_RETURN_IF_ERROR(Load(group));
  ESPALIER_RETURN_IF_ERROR(Run(group));
  return Take(group);
}

void CudaCompact::LoadLanes(const Group& group) {
  const size_t lanes = static_cast<size_t>(a_.lanes), count = group.domains.size();
  const backend::CompactHalfSpace* const plane = group.settings.half_space;
  std::vector<LaneState> states(lanes);
  std::vector<int32_t> going(lanes, 0);
  const Pace pace{static_cast<float>(group.settings.alpha_rate), static_cast<float>(group.settings.beta_rate),
                  0, 0};
  const std::vector<Pace> paces(lanes, pace);
  const std::vector<double> bound(lanes, -std::numeric_limits<double>::infinity());
  double norm = 1e-30;
  for (size_t i = 0; plane != nullptr && i < plane->normal.size(); ++i)
    norm += static_cast<double>(backend::Abs(plane->normal[i]));
  for (size_t l = 0; l < count; ++l) {
    const CompactDomain& domain = group.domains[l];
    LaneState& s = states[l];
    going[l] = 1;
    s.offset = domain.offset;
    s.power1 = s.power2 = 1;
    s.plane_offset = plane != nullptr ? plane->offset : 0;
    s.plane_norm = norm;
    s.unit = domain.output.empty() ? domain.unit : -1;
    s.sign = domain.sign;
    s.has_start = domain.start.empty() ? 0 : 1;
  }
  const auto upload = [&](const auto& values, void* to) {
    state_->Upload(values.data(), static_cast<int64_t>(values.size() * sizeof(values[0])), to);
  };
  upload(states, a_.state);
  upload(going, a_.going);
  upload(paces, a_.pace);
  upload(bound, a_.bound);
  if (plane == nullptr) return;
  upload(plane->normal, a_.normal);
  upload(std::vector<float>(lanes, 0.0f), a_.plane);
}

void CudaCompact::LoadMatrices(const Group& group) {
  const auto lanes = static_cast<size_t>(a_.lanes), learning = static_cast<size_t>(group.learning);
  const auto outputs = static_cast<size_t>(network_.outputs()), inputs = static_cast<size_t>(a_.inputs);
  std::vector<float> output(group.has_output ? outputs * lanes : 0),
      input(group.has_input ? inputs * lanes : 0);
  std::vector<uint8_t> start(group.has_start ? learning * lanes : 0);
  for (size_t l = 0; l < group.domains.size(); ++l) {
    const CompactDomain& domain = group.domains[l];
    for (size_t o = 0; o < domain.output.size(); ++o) output[o * lanes + l] = domain.output[o];
    for (size_t i = 0; domain.input != nullptr && i < inputs; ++i) {
      input[i * lanes + l] = static_cast<float>(domain.input[i]);
    }
    if (!domain.start.empty() && learning > 0) {
      std::memcpy(start.data() + l * learning, domain.start.data(), learning);
    }
  }
  state_->Upload(output.data(), static_cast<int64_t>(output.size() * sizeof(float)), a_.output);
  state_->Upload(input.data(), static_cast<int64_t>(input.size() * sizeof(float)), a_.input);
  state_->Upload(start.data(), static_cast<int64_t>(start.size()), a_.start);
}

absl::Status CudaCompact::Load(Group& group) {
  for (size_t l = 0; l < group.domains.size(); ++l) {
    const CompactDomain& domain = group.domains[l];
    group.has_output |= !domain.output.empty();
    group.has_input |= domain.input != nullptr;
    group.has_start |= !domain.start.empty();
    for (size_t k = 0; k < domain.splits.size(); ++k) {
      const backend::CompactSplit& split = domain.splits[k];
      if (split.neuron >= group.learning) continue;
      group.splits.push_back({static_cast<int32_t>(l), split.neuron, split.sign, split.beta});
      group.split_entry.push_back(k);
    }
  }
  LoadLanes(group);
  LoadMatrices(group);
  ForGrid(*state_, {group.learning, a_.lanes}, StartSlopesBody{a_, group.learning});
  if (!group.splits.empty()) {
    ESPALIER_ASSIGN_OR_RETURN(const auto splits, DeviceArray<LaneSplit>::From(state_, group.splits));
    ForElements(*state_, static_cast<int64_t>(group.splits.size()), LoadSplitsBody{a_, splits.data()});
  }
  // Slots behind the start are read by what they depend on, and have no part in its rows.
  const CompactStage& start = stage(group.start);
  const int64_t behind = start.begin + start.size();
  ForElements(*state_, (network_.slots - behind) * a_.lanes,
              FillBody<float>{0.0f, a_.slots + behind * a_.lanes});
  ForGrid(*state_, {start.size(), a_.lanes}, StartRowsBody{a_, start.begin});
  return absl::OkStatus();
}

void CudaCompact::Pull(const DeviceRows& rows, const float* bias, const CompactStage* lines) {
  const backend::PullRows view{rows.groups.data(), rows.count, rows.columns.data(), rows.weights.data(),
                               bias};
  const int32_t first_line = lines == nullptr ? 0 : lines->first_unstable - lines->begin;
  ForGrid(*state_, {rows.count, a_.lanes}, PullBody{a_, view, lines != nullptr, first_line});
  state_->Spend(2.0 * rows.entries * static_cast<double>(a_.lanes));
}

void CudaCompact::Backward(const Group& group) {
  for (size_t s = group.start; s-- > 0;) {
    Pull(stages_[s].backward, nullptr, width(s) > 0 ? &stage(s) : nullptr);
    for (const int32_t reader : stages_[s].relaxed_by) {
      const auto r = static_cast<size_t>(reader);
      ForGrid(*state_, {width(r), a_.lanes}, ToSourceBody{a_, stage(r).begin, stages_[r].source.data()});
    }
  }
  Pull(to_inputs_, nullptr, nullptr);
  const bool half_space = group.settings.half_space != nullptr;
  if (group.has_input || half_space)
    ForGrid(*state_, {a_.inputs, a_.lanes}, AddInputBody{a_, group.has_input, half_space});
  const int64_t slots = stage(group.start).begin + stage(group.start).size();
  ForGrid(*state_, {kStrips, a_.lanes},
          TotalBody{a_, slots, bias_.data(), neuron_.data(), lower_.data(), upper_.data(), half_space});
  ForElements(*state_, a_.lanes,
              JudgeBody{a_, std::max<int64_t>(1, group.settings.iterations),
                        static_cast<float>(group.settings.decay), half_space});
}

void CudaCompact::Forward(const Group& group) {
  for (size_t s = 0; s < group.start; ++s) {
    if (width(s) == 0) {
      Pull(stages_[s].forward, bias_.data(), nullptr);
      continue;
    }
    ForGrid(*state_, {width(s), a_.lanes},
            LineStepBody{a_, stage(s).begin, stage(s).first_unstable, stages_[s].source.data()});
  }
}

absl::Status CudaCompact::Run(const Group& group) {
  const CompactSettings& wanted = group.settings;
  const Shape shape{
      a_.lanes, group.start, wanted.iterations, wanted.decay, wanted.half_space != nullptr, group.has_input};
  auto found =
      std::find_if(graphs_.begin(), graphs_.end(), [&](const Graphs& g) { return g.shape == shape; });
  if (found == graphs_.end()) {
    if (graphs_.size() == kMostGraphs) graphs_.erase(graphs_.begin());
    found = graphs_.insert(graphs_.end(), Graphs{shape, {}, {}});
  }
  found->first.Run(*state_, [&] { Backward(group); });
  for (int64_t pass = 1; pass < wanted.iterations; ++pass) {
    found->next.Run(*state_, [&] {
      Forward(group);
      Backward(group);
    });
  }
  return state_->Going() ? absl::OkStatus() : state_->status();
}

template <class T>
absl::Status CudaCompact::Fetch(const DeviceArray<T>& from, std::vector<T>* to) {
  state_->Download(from.data(), static_cast<int64_t>(to->size() * sizeof(T)), to->data());
  return state_->status();
}

absl::Status CudaCompact::Take(Group& group) {
  const CompactSettings& wanted = group.settings;
  const size_t count = group.domains.size();
  std::vector<double> bound(count);
  state_->Download(a_.bound, static_cast<int64_t>(count * sizeof(double)), bound.data());
  for (size_t l = 0; l < count; ++l) group.domains[l].bound = bound[l];
  if (!group.splits.empty()) {
    ESPALIER_ASSIGN_OR_RETURN(const auto splits, DeviceArray<LaneSplit>::From(state_, group.splits));
    ForElements(*state_, static_cast<int64_t>(group.splits.size()), TakeSplitsBody{a_, splits.data()});
    ESPALIER_RETURN_IF_ERROR(Fetch(splits, &group.splits));
    for (size_t k = 0; k < group.splits.size(); ++k) {
      CompactDomain& domain = group.domains[static_cast<size_t>(group.splits[k].lane)];
      domain.splits[group.split_entry[k]].beta = group.splits[k].beta;
    }
  }
  if (wanted.slopes || wanted.exact_slopes) ESPALIER_RETURN_IF_ERROR(TakeSlopes(group));
  if (wanted.corners) {
    const auto inputs = static_cast<size_t>(a_.inputs);
    ESPALIER_ASSIGN_OR_RETURN(const auto corners, DeviceArray<float>::Of(state_, a_.inputs * a_.lanes));
    ForGrid(*state_, {a_.inputs, a_.lanes}, TakeCornersBody{a_, corners.data()});
    std::vector<float> corner(count * inputs);
    ESPALIER_RETURN_IF_ERROR(Fetch(corners, &corner));
    for (size_t l = 0; l < count; ++l) {
      group.domains[l].corner.assign(corner.begin() + static_cast<int64_t>(l * inputs),
                                     corner.begin() + static_cast<int64_t>((l + 1) * inputs));
    }
  }
  return wanted.candidates > 0 ? TakeCandidates(group, bound) : state_->status();
}

absl::Status CudaCompact::TakeSlopes(const Group& group) {
  const CompactSettings& wanted = group.settings;
  const size_t count = group.domains.size(), learning = static_cast<size_t>(group.learning);
  const int64_t size = group.learning * a_.lanes;
  ESPALIER_ASSIGN_OR_RETURN(const auto steps, DeviceArray<uint8_t>::Of(state_, wanted.slopes ? size : 0));
  ESPALIER_ASSIGN_OR_RETURN(const auto exact, DeviceArray<float>::Of(state_, wanted.exact_slopes ? size : 0));
  ForGrid(*state_, {group.learning, a_.lanes},
          TakeSlopesBody{a_, group.learning, wanted.slopes ? steps.data() : nullptr,
                         wanted.exact_slopes ? exact.data() : nullptr});
  std::vector<uint8_t> step(wanted.slopes ? count * learning : 0);
  std::vector<float> value(wanted.exact_slopes ? count * learning : 0);
  ESPALIER_RETURN_IF_ERROR(Fetch(steps, &step));
  ESPALIER_RETURN_IF_ERROR(Fetch(exact, &value));
  for (size_t l = 0; l < count; ++l) {
    CompactDomain& domain = group.domains[l];
    const size_t from = l * learning, to = from + learning;
    if (wanted.slopes) domain.slopes.assign(step.data() + from, step.data() + to);
    if (wanted.exact_slopes) domain.exact_slopes.assign(value.data() + from, value.data() + to);
  }
  return state_->status();
}

absl::Status CudaCompact::TakeCandidates(const Group& group, const std::vector<double>& bound) {
  const int64_t length = (group.learning + kStrips - 1) / kStrips;
  const int64_t keep = std::min(group.settings.candidates, group.learning), each = std::min(keep, length);
  ESPALIER_ASSIGN_OR_RETURN(const auto lists, DeviceArray<Ranked>::Of(state_, kStrips * each * a_.lanes));
  ESPALIER_ASSIGN_OR_RETURN(const auto ranked, DeviceArray<Ranked>::Of(state_, keep * a_.lanes));
  ForGrid(*state_, {kStrips, a_.lanes}, RankBody{a_, group.learning, length, each, lists.data()});
  ForElements(*state_, a_.lanes, MergeRanksBody{a_.lanes, each, keep, lists.data(), ranked.data()});
  std::vector<Ranked> best(static_cast<size_t>(keep * a_.lanes));
  ESPALIER_RETURN_IF_ERROR(Fetch(ranked, &best));
  for (size_t l = 0; l < group.domains.size(); ++l) {
    if (bound[l] > 0) continue;
    auto& candidates = group.domains[l].candidates;
    candidates.clear();
    for (size_t k = l; k < best.size() && best[k].score > 0; k += static_cast<size_t>(a_.lanes)) {
      candidates.emplace_back(best[k].neuron, best[k].score);
    }
  }
  return state_->status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<backend::CompactBounder>> MakeCudaCompact(StatePtr state,
                                                                         const CompactNetwork& network) {
  if (!state->Going()) return state->status();
  if (backend::HasCuts(network)) return absl::UnimplementedError("no kernels for cuts");
  auto compact = std::make_unique<CudaCompact>(std::move(state), network);
  ESPALIER_RETURN_IF_ERROR(compact->Open(network));
  return std::unique_ptr<backend::CompactBounder>(std::move(compact));
}

}  // namespace espalier::cuda_kernels
