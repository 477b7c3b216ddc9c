#include "verifier/backend/cpu_compact_tile.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "verifier/backend/neuron_math.h"
#include "verifier/base/status.h"

namespace espalier::backend {

absl::StatusOr<CompactTile> CompactTile::Make(const CompactProgram& program, Backend& backend) {
  CompactTile tile(program);
  const int64_t unstable = program.network.unstable() * kMostLanes;
  ESPALIER_ASSIGN_OR_RETURN(tile.slots_, Allocate<float>(backend, program.network.slots * kMostLanes));
  for (Buffer<float>* buffer : {&tile.alpha_, &tile.first_, &tile.second_, &tile.best_, &tile.saved_}) {
    ESPALIER_ASSIGN_OR_RETURN(*buffer, Allocate<float>(backend, unstable));
    std::fill_n(buffer->data(), unstable, 0.0f);
  }
  tile.splits_.resize(program.network.stages.size());
  return tile;
}

TileLines CompactTile::LinesAt(int32_t first, int64_t count) const {
  const CompactLinesOf<float>& lines = program_->lines;
  return {count, lines.left.data() + first, lines.right.data() + first, lines.chord_slope.data() + first,
          lines.chord_intercept.data() + first};
}

template <class Body>
void CompactTile::ForCuts(size_t activation, Body body) {
  const CompactStage* cuts = CutsOf(program_->network, activation);
  if (cuts == nullptr) return;
  const CompactStage& stage = program_->network.stages[activation];
  const TileLines lines = LinesAt(stage.first_unstable, stage.size());
  for (const TileReach::Range& range : reach_->lines[activation - 1]) {
    body(CutIndexOf<float>{range.size(), cuts->cut_of.data() + range.begin, lines.left, lines.right},
         Slot(cuts->begin + range.begin));
  }
}

void CompactTile::Run(CompactQueue& queue, const CompactSettings& settings, const TileShape& shape,
                      const StopToken& stop) {
  settings_ = settings;
  lanes_ = shape.lanes;
  const CompactNetwork& n = program_->network;
  reach_ = &program_->Whole(settings.start_stage);
  start_ = reach_->forward.size();
  outside_ = 0;
  learning_ = 0;
  for (size_t s = 0; s < start_; ++s) learning_ += static_cast<int64_t>(n.stages[s].source.size());
  std::fill(std::begin(job_), std::end(job_), CompactJob());
  mean_values_.clear();
  mean_coefficients_.clear();
  for (auto& stage : splits_) stage.clear();
  if (shape.cones) return RunCones(queue, stop);
  while (!stop.StopRequested() && Fill(queue)) Step();
}

// One pass in both directions. False: nothing is left to do.
bool CompactTile::Step() {
  Backward();
  Judge();
  const bool working =
      std::any_of(job_, job_ + lanes_, [](const CompactJob& job) { return job.from != nullptr; });
  if (working) Forward();
  if (working && settings_.points) AddToMeans();
  return working;
}

// The later passes weigh more: the first ones are far from the optimum.
void CompactTile::AddToMeans() {
  alignas(64) float share[kMostLanes] = {};
  for (int64_t l = 0; l < lanes_; ++l) {
    share[l] = passes_[l] > 1 ? 3.0f / (static_cast<float>(passes_[l]) + 2.0f) : 1.0f;
  }
  const auto add = [&](const float* from, int64_t begin, int64_t count, std::vector<float>& to) {
    program_->kernels.add_to_mean(count, share, from + begin * lanes_, to.data() + begin * lanes_, lanes_);
  };
  mean_values_.resize(static_cast<size_t>(program_->network.slots * lanes_));
  mean_coefficients_.resize(static_cast<size_t>(learning_ * lanes_));
  ForTouchedSlots([&](int64_t first, int64_t count) { add(slots_.data(), first, count, mean_values_); });
  ForTouched([&](int32_t begin, int32_t end) { add(saved_.data(), begin, end - begin, mean_coefficients_); });
}

template <class Body>
void CompactTile::ForTouchedSlots(Body body) const {
  for (const TileReach::Range& range : reach_->inputs) body(range.begin, range.size());
  for (size_t s = 0; s < start_; ++s) {
    const int32_t begin = program_->network.stages[s].begin;
    for (const TileReach::Range& range : reach_->lines[s]) body(begin + range.begin, range.size());
    if (reach_->lines[s].empty()) body(reach_->affine[s].begin, reach_->affine[s].size());
  }
}

// Rows of the last stage are few, and pulled as all others are. Those of an earlier stage are one of many for
// each lane: they are added to what they read, entry by entry.
void CompactTile::StartRows() {
  const CompactStage& stage = program_->network.stages[start_];
  float* lambda = Slot(stage.begin);
  if (!from_inside()) std::fill_n(lambda, static_cast<int64_t>(stage.bias.size()) * lanes_, 0.0f);
  for (int64_t l = 0; l < lanes_; ++l) {
    const CompactDomain* own = domain(l);
    sum_[l] = own == nullptr ? 0.0 : own->offset;
    if (own == nullptr) continue;
    if (from_inside()) {
      ForStart(*own, [&](int32_t row, float coefficient) {
        sum_[l] += static_cast<double>(coefficient) *
                   static_cast<double>(program_->bias[static_cast<size_t>(stage.begin + row)]);
      });
    } else {
      ForStart(*own, [&](int32_t row, float coefficient) { lambda[row * lanes_ + l] = coefficient; });
    }
  }
}

void CompactTile::AddStartRows(TileReach::Range own) {
  if (!from_inside()) return;
  const int32_t first = program_->network.stages[start_].begin;
  for (int64_t l = 0; l < lanes_; ++l) {
    if (domain(l) == nullptr) continue;
    ForStart(*domain(l), [&](int32_t row, float coefficient) {
      program_->AddStartRow(start_, first + row, coefficient, own, slots_.data() + l, lanes_);
    });
  }
}

// Rows of a stage before the start, or of the inputs, as far as they are touched.
void CompactTile::Pull(const GroupedRows& rows, const std::vector<PullGroup>& groups, const float* bias) {
  PullRows own = rows.View(bias);
  own.groups = groups.data();
  own.count = static_cast<int64_t>(groups.size());
  program_->kernels.pull(own, slots_.data(), lanes_);
}

void CompactTile::Backward() {
  StartRows();
  for (size_t s = start_ + 1; s-- > 0;) {
    program_->network.stages[s].source.empty() ? BackwardAffine(s) : BackwardActivation(s);
  }
  Inputs();
}

void CompactTile::BackwardAffine(size_t s) {
  const CompactStage& stage = program_->network.stages[s];
  TileReach::Range own{stage.begin, stage.begin + stage.size()};
  if (s == start_ && from_inside()) return;  // its bias is in the sums
  if (s != start_) {
    Pull(program_->backward[s], reach_->backward[s], nullptr);
    AddStartRows(own);
    own = reach_->affine[s];
    for (int32_t r : program_->relaxed_by[s]) {
      if (static_cast<size_t>(r) < start_) ScatterLines(static_cast<size_t>(r));
    }
  }
  if (program_->stage_has_bias[s]) {
    program_->kernels.dot(own.size(), program_->bias.data() + own.begin, Slot(own.begin), sum_, lanes_);
  }
}

// Coefficients of an activation's lines go to what they are lines of.
void CompactTile::ScatterLines(size_t activation) {
  const CompactStage& stage = program_->network.stages[activation];
  for (const TileReach::Range& range : reach_->lines[activation]) {
    program_->kernels.scatter(range.size(), stage.source.data() + range.begin,
                              Slot(stage.begin + range.begin), slots_.data(), lanes_);
  }
}

// A split neuron is linear in its lane: it is taken out of the tile's lines and put back on its own.
void CompactTile::BackwardActivation(size_t s) {
  const CompactStage& stage = program_->network.stages[s];
  Pull(program_->backward[s], reach_->backward[s], nullptr);
  AddStartRows({stage.begin, stage.begin + stage.size()});
  float* lambda = Slot(stage.begin);
  taken_out_.clear();
  for (const Split& split : splits_[s]) {
    float* at = lambda + split.neuron * lanes_ + split.lane;
    for (int32_t c = 0; c < split.count; ++c) taken_out_.push_back(std::exchange(at[c], 0.0f));
  }
  ForCuts(s, [&](const CutIndexOf<float>& index, float* cuts) {
    program_->kernels.cut_back(index, lambda, cuts, lanes_);
  });
  for (const TileReach::Range& range : reach_->lines[s]) {
    const int32_t neuron = stage.first_unstable + range.begin;
    const int64_t first = neuron * lanes_;
    program_->kernels.lines(LinesAt(neuron, range.size()), alpha_.data() + first,
                            lambda + range.begin * lanes_, saved_.data() + first, sum_, lanes_);
  }
  const float* taken = taken_out_.data();
  for (const Split& split : splits_[s]) {
    float* at = lambda + split.neuron * lanes_ + split.lane;
    const float multiplier = split.beta * split.sign;
    for (int32_t c = 0; c < split.count; ++c) at[c] = split.slope * *taken++ - multiplier;
  }
}

void CompactTile::Inputs() {
  const CompactKernels& k = program_->kernels;
  Pull(program_->to_inputs, reach_->to_inputs, nullptr);
  AddStartRows({0, program_->network.inputs});
  for (int64_t l = 0; l < lanes_; ++l) {
    if (domain(l) == nullptr || domain(l)->input == nullptr) continue;
    for (int64_t i = 0; i < program_->network.inputs; ++i) {
      slots_.data()[i * lanes_ + l] += static_cast<float>(domain(l)->input[i]);
    }
  }
  const CompactHalfSpace* plane = settings_.half_space;
  if (plane != nullptr) AddHalfSpace();
  for (const TileReach::Range& range : reach_->inputs) {
    k.concretise(range.size(), program_->lower.data() + range.begin, program_->upper.data() + range.begin,
                 Slot(range.begin), sum_, lanes_);
  }
  if (plane == nullptr) return;
  // The derivative of the bound with respect to the multiplier is the half-space's value at the corner.
  std::fill_n(plane_gradient_, lanes_, plane->offset + outside_);
  for (const TileReach::Range& range : reach_->inputs) {
    k.dot(range.size(), plane->normal.data() + range.begin, Slot(range.begin), plane_gradient_, lanes_);
  }
}

// Inside the half-space its multiple is at most zero: adding it keeps a lower bound a lower bound there.
void CompactTile::AddHalfSpace() {
  const CompactHalfSpace& plane = *settings_.half_space;
  if (!fresh_.empty()) ScaleHalfSpace();
  for (const TileReach::Range& range : reach_->inputs) {
    program_->kernels.add_multiple(range.size(), plane.normal.data() + range.begin, plane_, Slot(range.begin),
                                   lanes_);
  }
  for (int64_t l = 0; l < lanes_; ++l) {
    sum_[l] += static_cast<double>(plane_[l]) * (plane.offset + outside_);
  }
}

// Steps in proportion to the row's coefficients.
void CompactTile::ScaleHalfSpace() {
  double row[kMostLanes] = {}, normal = 1e-30;
  for (const TileReach::Range& range : reach_->inputs) {
    for (int32_t i = range.begin; i < range.end; ++i) {
      for (int64_t l = 0; l < lanes_; ++l) row[l] += static_cast<double>(std::fabs(Slot(i)[l]));
    }
  }
  for (const float n : settings_.half_space->normal) normal += static_cast<double>(std::fabs(n));
  for (int32_t l : fresh_) plane_scale_[l] = (row[l] + 1e-30) / normal;
}

void CompactTile::StepHalfSpace() {
  for (int64_t l = 0; l < lanes_; ++l) {
    const double g = plane_gradient_[l];
    plane_first_[l] = 0.9 * plane_first_[l] + 0.1 * g;
    plane_second_[l] = 0.999 * plane_second_[l] + 0.001 * g * g;
    const double step = static_cast<double>(rate_[l]) * plane_scale_[l] * plane_first_[l] *
                        static_cast<double>(correction1_[l]) /
                        (std::sqrt(plane_second_[l] * static_cast<double>(correction2_[l])) + 1e-30);
    plane_[l] = std::max(0.0f, plane_[l] + static_cast<float>(step));
  }
}

// Keeps what improved, and gives back the domains that are through.
void CompactTile::Judge() {
  bool improved = false;
  for (int64_t l = 0; l < lanes_; ++l) {
    better_[l] = domain(l) != nullptr && sum_[l] > bound_[l];
    if (better_[l] != 0) bound_[l] = sum_[l], improved = true;
  }
  if (improved && (settings_.slopes || settings_.exact_slopes)) KeepBest();
  for (auto& stage : splits_) {
    for (Split& split : stage) {
      if (better_[split.lane] != 0) split.best = split.beta;
    }
  }
  finished_.clear();
  for (int64_t l = 0; l < lanes_; ++l) {
    if (domain(l) == nullptr) continue;
    ++passes_[l];
    done_[l] = passes_[l] >= settings_.iterations || bound_[l] > 0 ? 1 : 0;
    if (done_[l] != 0) {
      finished_.push_back(static_cast<int32_t>(l));
    } else {
      CorrectionsOf(l);
    }
  }
  if (!finished_.empty()) FinishDone();
}

// The slopes of the lanes that got better.
void CompactTile::KeepBest() {
  ForTouched([&](int32_t begin, int32_t end) {
    const int64_t first = begin * lanes_;
    program_->kernels.keep(end - begin, better_, alpha_.data() + first, best_.data() + first, lanes_);
  });
}

// Adam's, for the lane's next step.
void CompactTile::CorrectionsOf(int64_t lane) {
  const auto t = static_cast<double>(passes_[lane]);
  begun_[lane] = passes_[lane] > 1 ? 1 : 0;
  correction1_[lane] = static_cast<float>(1.0 / (1.0 - std::pow(0.9, t)));
  correction2_[lane] = static_cast<float>(1.0 / (1.0 - std::pow(0.999, t)));
}

void CompactTile::Forward() {
  if (settings_.half_space != nullptr) StepHalfSpace();
  for (size_t s = 0; s < start_; ++s) {
    if (!program_->network.stages[s].source.empty()) {
      ForwardActivation(s);
    } else {
      Pull(program_->forward[s], reach_->forward[s], program_->bias.data());
    }
  }
  for (int64_t l = 0; l < lanes_; ++l) {
    rate_[l] *= static_cast<float>(settings_.decay);
    beta_rate_[l] *= settings_.decay;
  }
}

void CompactTile::ForwardActivation(size_t s) {
  const CompactStage& stage = program_->network.stages[s];
  for (Split& split : splits_[s]) {
    split.value = Slot(stage.source[static_cast<size_t>(split.neuron)])[split.lane];
  }
  for (const TileReach::Range& range : reach_->lines[s]) {
    const int32_t neuron = stage.first_unstable + range.begin;
    const int64_t first = neuron * lanes_;
    program_->kernels.step(
        LinesAt(neuron, range.size()), {rate_, correction1_, correction2_, begun_},
        {stage.source.data() + range.begin, saved_.data() + first, slots_.data(), alpha_.data() + first,
         first_.data() + first, second_.data() + first, Slot(stage.begin + range.begin)},
        lanes_);
  }
  ForCuts(s, [&](const CutIndexOf<float>& index, float* cuts) {
    program_->kernels.cut_forward(index, saved_.data() + stage.first_unstable * lanes_, cuts,
                                  Slot(stage.begin), lanes_);
  });
  for (const Split& split : splits_[s]) {
    Slot(stage.begin)[split.neuron * lanes_ + split.lane] = split.slope * split.value;
  }
  StepSplits(s);
}

void CompactTile::StepSplits(size_t s) {
  for (Split& split : splits_[s]) {
    const float gradient = -split.sign * split.value;
    const AdamRates<float> adam{static_cast<float>(beta_rate_[split.lane]), correction1_[split.lane],
                                correction2_[split.lane]};
    const float step = AdamMove(gradient, adam, &split.first, &split.second);
    split.beta = std::max(0.0f, split.beta + step);
  }
}

}  // namespace espalier::backend
