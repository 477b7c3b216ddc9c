#include "verifier/bounds/cone_scope.h"

#include "verifier/base/status.h"

namespace espalier::bounds {

using ir::Gather;

absl::StatusOr<std::unique_ptr<ConeScope>> ConeScope::Make(ir::Cone cone, backend::Backend& backend,
                                                           const InputBoxes& boxes,
                                                           const std::vector<LayerBox>& layers,
                                                           const Plan& whole) {
  auto made = std::make_unique<ConeScope>();
  made->cone_ = std::move(cone);
  const ir::Cone& c = made->cone_;
  ESPALIER_ASSIGN_OR_RETURN(made->plan_, Plan::Make(c.network, backend));
  made->boxes_ = {1, Gather(boxes.lower, c.neurons[0]), Gather(boxes.upper, c.neurons[0])};
  std::vector<LayerBox> inside;
  for (ir::NodeId id : made->plan_->activations()) {
    const ir::NodeId original = c.node[static_cast<size_t>(id)];
    const LayerBox& box = layers[static_cast<size_t>(whole.node(original).activation)];
    const std::vector<int32_t>& neurons = c.neurons[static_cast<size_t>(id)];
    inside.push_back({Gather(box.lower, neurons), Gather(box.upper, neurons)});
  }
  ESPALIER_ASSIGN_OR_RETURN(made->relaxation32_, Relaxation<float>::Make(*made->plan_, inside, 1));
  ESPALIER_ASSIGN_OR_RETURN(made->relaxation64_, Relaxation<double>::Make(*made->plan_, inside, 1));
  ESPALIER_ASSIGN_OR_RETURN(made->magnitudes_,
                            Magnitudes::Make(*made->plan_, made->boxes_.lower, made->boxes_.upper, inside));
  const auto output = static_cast<size_t>(c.network.output);
  made->cone_of_neuron_.assign(static_cast<size_t>(whole.node(c.node[output]).size), -1);
  for (size_t k = 0; k < c.neurons[output].size(); ++k) {
    made->cone_of_neuron_[static_cast<size_t>(c.neurons[output][k])] = static_cast<int32_t>(k);
  }
  return made;
}

HostRows ConeScope::Translate(const HostRows& rows) const {
  HostRows inside = rows;
  inside.start = cone_.network.output;
  for (int32_t& neuron : inside.neuron) neuron = cone_of_neuron_[static_cast<size_t>(neuron)];
  return inside;
}

}  // namespace espalier::bounds
