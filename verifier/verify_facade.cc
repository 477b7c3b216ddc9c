// The façade's Verify: joins search with the independent witness check.
#include "verifier/base/status.h"
#include "verifier/check/witness.h"
#include "verifier/device.h"
#include "verifier/model_impl.h"
#include "verifier/search/strategy.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

class GraphJudge final : public api::WitnessJudge {
 public:
  GraphJudge(const ir::Graph& graph, const api::Property& property) : graph_(graph), property_(property) {}
  std::optional<api::Witness> Judge(absl::Span<const double> input) const override {
    return check::ReplayWitness(graph_, property_, input);
  }

 private:
  const ir::Graph& graph_;
  const api::Property& property_;
};

}  // namespace

absl::StatusOr<api::Verdict> Verify(const Model& model, const api::Property& property,
                                    const api::Options& options, api::EventSink* sink, StopToken stop,
                                    const api::Checkpoints& checkpoints) {
  const Model::Impl& impl = model.impl();
  if (!impl.network.has_value()) return impl.lowering_status;
  const GraphJudge judge(impl.graph, property);
  // The memory option counts the host's memory; a card has a budget of its own unless it was set.
  const DeviceRequest where{options.device, options.memory_bytes};
  const auto make_backend = [&where](const backend::BackendRequest& request) {
    return MakeBackend(where, request);
  };
  return search::Decide(*impl.network, property, options,
                        {judge, make_backend, sink, stop, &checkpoints, Version()});
}

}  // namespace espalier
