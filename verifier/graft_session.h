// One grafting call, stage by stage: score, measure the base, then for every ratio select, fit, fine-tune,
// measure. What is finished stands in the checkpoint, so that a call that was interrupted skips it.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/graft/select.h"
#include "verifier/train_inputs.h"
#include "verifier/verifier.h"

namespace espalier {

class GraftSession {
 public:
  // Keeps references to all of them.
  GraftSession(const GraftRequest& request, const TrainableModel& start, const Split& split,
               const Execution& execution, CheckpointState& state)
      : request_(request), start_(start), split_(split), execution_(execution), state_(state) {}

  absl::StatusOr<GraftedModel> Run();

 private:
  absl::Status Score();
  absl::Status MeasureBase();
  // Grafts `ratio` and appends the result to the state, unless it stands there already. `keep`: with the
  // model.
  absl::StatusOr<const GraftCandidate*> Candidate(double ratio, bool keep);
  // The smallest ratio on a grid that reaches the target, by bisection.
  absl::StatusOr<const GraftCandidate*> SearchTarget();
  absl::StatusOr<ir::Network> FineTune(const ir::Network& fitted);
  absl::StatusOr<std::vector<double>> UnstablePerLayer(const ir::Network& network);
  GraftedModel Result(const GraftCandidate& chosen) const;
  Samples ScoreSamples() const;

  const GraftRequest& request_;
  const TrainableModel& start_;
  const Split& split_;
  const Execution& execution_;
  CheckpointState& state_;
  std::vector<std::string> warnings_;
};

}  // namespace espalier
