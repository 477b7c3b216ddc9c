// The façade's Graft: checks, checkpoint, and one GraftSession.
#include "verifier/backend/backend.h"
#include "verifier/base/status.h"
#include "verifier/device.h"
#include "verifier/graft_session.h"
#include "verifier/train/accuracy.h"
#include "verifier/train_inputs.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

absl::Status CheckRequest(const GraftRequest& request) {
  ESPALIER_RETURN_IF_ERROR(api::CheckOptions(request.graft));
  ESPALIER_RETURN_IF_ERROR(api::CheckOptions(request.train));
  if (request.model == nullptr) return absl::InvalidArgumentError("model: there is none");
  for (double ratio : request.curve_ratios) {
    if (!(ratio >= 0 && ratio <= 1)) return absl::InvalidArgumentError("curve_ratios: allowed: 0 to 1");
  }
  if (request.graft.target_verified > 0 && request.graft.measure_samples == 0) {
    return absl::InvalidArgumentError("target_verified needs measure_samples above 0");
  }
  return absl::OkStatus();
}

absl::Status CheckGraftable(const ir::Network& network) {
  for (const ir::NetworkNode& node : network.nodes) {
    if (node.kind == ir::NodeKind::kActivation && ir::CountHinges(node.hinge) > 0) return absl::OkStatus();
  }
  return absl::FailedPreconditionError("the model has no ReLU neuron that could be grafted");
}

uint64_t FingerprintOf(const GraftRequest& request, const TrainableModel& start, const Split& split) {
  Fingerprint fingerprint;
  fingerprint.Add("graft");
  fingerprint.Add(start.network);
  fingerprint.Add(*split.train.data);
  fingerprint.Add(*split.evaluation.data);
  fingerprint.Add(request.curve_ratios);
  AddOptions(request.graft, fingerprint);
  AddOptions(request.train, fingerprint);
  return fingerprint.value();
}

}  // namespace

absl::StatusOr<GraftedModel> Graft(const GraftRequest& request, const TrainHooks& hooks, StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(CheckRequest(request));
  ESPALIER_ASSIGN_OR_RETURN(const TrainableModel start, TrainableOf(*request.model));
  ESPALIER_RETURN_IF_ERROR(CheckGraftable(start.network));
  ESPALIER_ASSIGN_OR_RETURN(const Split split, SplitData(request.data, request.evaluation, start.network));
  ESPALIER_ASSIGN_OR_RETURN(const MemoryShares memory,
                            DivideMemory(request.memory_bytes, {{&start.network},
                                                                {request.data, request.evaluation},
                                                                request.graft.measure_samples > 0}));
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<backend::Backend> backend,
                            MakeBackend({.device = request.train.device},
                                        {.threads = request.train.threads, .memory_bytes = memory.backend}));
  ESPALIER_RETURN_IF_ERROR(train::CheckAccuracyFits(start.network, split.evaluation.size(), *backend));
  CheckpointState state;
  state.fingerprint = FingerprintOf(request, start, split);
  if (!hooks.resume.empty()) {
    ESPALIER_ASSIGN_OR_RETURN(state, ReadCheckpoint(hooks.resume, state.fingerprint));
  }
  const Reporter reporter(hooks, state.seconds);
  const Execution execution{*backend, memory, reporter, stop};
  return GraftSession(request, start, split, execution, state).Run();
}

}  // namespace espalier
