// Projected gradient descent for counterexamples (Madry et al. 2018), many starts at once, through the same
// backend.
//
// Every sample belongs to one target and descends on its worst row (the one furthest from holding). Samples
// that violate in float32 are shown to the judge, which replays them on the original model.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/domain.h"
#include "verifier/search/problem.h"

namespace espalier::search {

struct AttackSettings {
  int64_t restarts = 4;  // per target; the first starts at the box's centre
  int64_t steps = 20;
  uint64_t seed = 0;
  // Leave samples whose descent so far says that they will not get there, where steps are costly.
  bool give_up = false;
};

class Attack {
 public:
  explicit Attack(Run& run) : run_(run) {}

  // Attacks the given targets from random starts. True: run.witness() is set.
  absl::StatusOr<bool> Random(const std::vector<size_t>& targets, const AttackSettings& settings);

  // Starts from given points, [points][inputs] stored order, point i for targets[i].
  absl::StatusOr<bool> From(const std::vector<size_t>& targets, const std::vector<double>& points,
                            int64_t steps);

 private:
  struct Batch;
  absl::Status Forward(Batch& batch);
  absl::StatusOr<bool> Check(Batch& batch);
  absl::Status Descend(Batch& batch, double rate);
  absl::StatusOr<bool> Descent(Batch& batch, int64_t steps);
  absl::Status LeaveHopeless(double gains, Batch& batch);

  Run& run_;
  bool give_up_ = false;
};

// A few steps from the corners of the worst few of the domains that carry one, when attacks are wanted. True:
// run.witness() is set.
absl::StatusOr<bool> AttackCorners(Run& run, const std::vector<Domain>& domains);

}  // namespace espalier::search
