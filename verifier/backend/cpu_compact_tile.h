// A tile: as many domains as a vector register (or two) has lanes, optimised together in the cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/compact.h"
#include "verifier/backend/cpu_compact_program.h"

namespace espalier::backend {

inline constexpr int64_t kMostLanes = 32;

// What a lane works on.
struct CompactJob {
  const CompactDomain* from = nullptr;  // null: nothing
  CompactDomain* into = nullptr;        // what becomes of a domain, or
  CompactTrial* trial = nullptr;        // of a trial
};

// Hands out jobs to tiles: domains or trials.
class CompactQueue {
 public:
  explicit CompactQueue(absl::Span<CompactDomain> domains) : domains_(domains) {}
  explicit CompactQueue(absl::Span<CompactTrial> trials) : trials_(trials) {}
  CompactJob Next() {
    const size_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i < domains_.size()) return {&domains_[i], &domains_[i], nullptr};
    if (i < trials_.size()) return {trials_[i].domain, nullptr, &trials_[i]};
    return {};
  }
  absl::Span<const CompactDomain> domains() const { return domains_; }
  // The next so many domains, or what is left of them: the same ones whoever asks.
  absl::Span<CompactDomain> NextDomains(int64_t count) {
    const size_t i = next_.fetch_add(static_cast<size_t>(count), std::memory_order_relaxed);
    return i < domains_.size() ? domains_.subspan(i, static_cast<size_t>(count))
                               : absl::Span<CompactDomain>();
  }

 private:
  absl::Span<CompactDomain> domains_;
  absl::Span<CompactTrial> trials_;
  std::atomic<size_t> next_{0};
};

struct TileShape {
  int64_t lanes = kMostLanes;  // or half of them
  // Neighbouring rows of an inner stage together, on what they are made of. Domains without input
  // coefficients only, and corners are not given.
  bool cones = false;
};

// entry(row, coefficient) for the rows of the start stage that the domain's margin is made of.
template <class Entry>
void ForStart(const CompactDomain& domain, Entry entry) {
  if (domain.output.empty()) return entry(domain.unit, domain.sign);
  for (size_t o = 0; o < domain.output.size(); ++o) entry(static_cast<int32_t>(o), domain.output[o]);
}

// What the domains' cones begin with.
ConeTips TipsOf(const CompactProgram& program, const CompactSettings& settings,
                absl::Span<const CompactDomain> domains);

class CompactTile {
 public:
  static absl::StatusOr<CompactTile> Make(const CompactProgram& program, Backend& backend);

  // Takes jobs from the queue until it is empty or the token fires.
  void Run(CompactQueue& queue, const CompactSettings& settings, const TileShape& shape,
           const StopToken& stop);

 private:
  struct Split {
    // Of `count` lanes from `lane` on, which are trials of one domain, or one. entry: index into the domain's
    // splits.
    int32_t lane = 0, count = 1, neuron = 0, entry = 0;
    float sign = 1, slope = 0, beta = 0, best = 0, first = 0, second = 0, value = 0;
  };

  explicit CompactTile(const CompactProgram& program) : program_(&program) {}
  bool Step();
  void RunCones(CompactQueue& queue, const StopToken& stop);
  bool LoadCone(CompactQueue& queue);
  void ClearTouched();
  bool Fill(CompactQueue& queue);
  void Narrow();
  void MoveLane(int64_t from, int64_t to);
  void Load(int64_t lane, const CompactJob& job);  // but for its slopes and splits
  void LoadSplits();                               // of the fresh lanes
  void LoadSplit(const CompactSplit& split, Split own);
  void LoadSlopes();  // of the fresh lanes
  void LoadSlopesOneByOne(const std::vector<const uint8_t*>& starts);
  void StartsOf(const uint8_t* start, int64_t begin, int64_t count, float* to) const;
  void Backward();
  void BackwardActivation(size_t stage);
  void BackwardAffine(size_t stage);
  void StartRows();
  void AddStartRows(TileReach::Range own);
  void ScatterLines(size_t activation);
  // body(index, slot of the first one) for runs of the activation's cuts that are touched.
  template <class Body>
  void ForCuts(size_t activation, Body body);
  void AddToMeans();
  // body(first, count) for runs of slots that are touched.
  template <class Body>
  void ForTouchedSlots(Body body) const;
  void Pull(const GroupedRows& rows, const std::vector<PullGroup>& groups, const float* bias);
  bool from_inside() const { return settings_.start_stage >= 0; }
  void Inputs();
  void AddHalfSpace();
  void ScaleHalfSpace();
  void StepHalfSpace();
  void Judge();
  void KeepBest();
  void FinishDone();
  void FinishLane(int64_t lane);
  void StoreSlopes();
  void StoreSlopesOf(int64_t lane);
  void HandOut(const uint8_t* bytes, int64_t begin, int64_t count);
  void StoreExactSlopesOf(int64_t lane);
  void StoreMeansOf(int64_t lane, CompactDomain& into) const;
  void Forward();
  void ForwardActivation(size_t stage);
  void StepSplits(size_t stage);
  void Rank();
  void RankFew(int64_t lane, int32_t first, int64_t count, const float* scores, float& threshold);
  const CompactDomain* domain(int64_t lane) const { return job_[lane].from; }
  TileLines LinesAt(int32_t first, int64_t count) const;
  bool on_cone() const { return reach_ == &cone_; }
  // body(first, end) for runs of unstable neurons that are touched.
  template <class Body>
  void ForTouched(Body body) const {
    for (size_t s = 0; s < start_; ++s) {
      const int32_t first = program_->network.stages[s].first_unstable;
      for (const TileReach::Range& range : reach_->lines[s]) body(first + range.begin, first + range.end);
    }
  }
  void CorrectionsOf(int64_t lane);
  float* Slot(int32_t slot) { return slots_.data() + slot * lanes_; }

  const CompactProgram* program_;
  CompactSettings settings_;
  const TileReach* reach_ = nullptr;  // what passes touch: all before the start, or
  TileReach cone_;                    // a cone, and
  std::vector<uint8_t> touched_;      // which slots it is of
  double outside_ = 0;                // least value of the half-space's normal on inputs that are not touched
  size_t start_ = 0;                  // stage whose slots are bounded
  int64_t learning_ = 0;              // unstable neurons before it
  int64_t lanes_ = kMostLanes;
  Buffer<float> slots_;                                  // [slots][lanes]: coefficients, then values
  Buffer<float> alpha_, first_, second_, best_, saved_;  // [unstable][lanes]
  std::vector<std::vector<Split>> splits_;               // per stage
  std::vector<float> taken_out_;                         // coefficients of split neurons, scratch
  std::vector<float> mean_values_, mean_coefficients_;   // [slots][lanes], [unstable][lanes]; when wanted
  std::vector<int32_t> fresh_;                           // lanes that have just been given a job
  std::vector<int32_t> finished_;                        // lanes whose domains are being given back
  // per lane
  CompactJob job_[kMostLanes] = {};
  double bound_[kMostLanes] = {};
  int64_t passes_[kMostLanes] = {};
  alignas(64) float rate_[kMostLanes] = {}, correction1_[kMostLanes] = {}, correction2_[kMostLanes] = {};
  alignas(64) int32_t better_[kMostLanes] = {};
  alignas(64) int32_t begun_[kMostLanes] = {};     // optimised before: its moments are its own
  alignas(64) int32_t start_of_[kMostLanes] = {};  // fresh lanes: which of the different starts; others: -1
  int32_t done_[kMostLanes] = {};
  // Multiplier of the half-space, with its optimiser state and the scale of its steps.
  alignas(64) float plane_[kMostLanes] = {};
  double plane_first_[kMostLanes] = {}, plane_second_[kMostLanes] = {}, plane_scale_[kMostLanes] = {};
  double plane_gradient_[kMostLanes] = {};
  double beta_rate_[kMostLanes] = {};
  double sum_[kMostLanes] = {};
};

}  // namespace espalier::backend
