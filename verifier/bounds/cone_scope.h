// Rows of one tile of an image-shaped layer, bounded on the tile's cone (ir/cone.h) instead of the whole
// network: the coefficients are as narrow as the windows that the tile sees.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/row_bounder.h"
#include "verifier/ir/cone.h"

namespace espalier::bounds {

class ConeScope {
 public:
  // `layers` and `boxes` are the whole network's, one domain; all activations before the cone's output must
  // be bounded.
  static absl::StatusOr<std::unique_ptr<ConeScope>> Make(ir::Cone cone, backend::Backend& backend,
                                                         const InputBoxes& boxes,
                                                         const std::vector<LayerBox>& layers,
                                                         const Plan& whole);

  Scope scope() const { return {plan_.get(), &boxes_, &relaxation32_, &relaxation64_, &*magnitudes_}; }
  // Rows (± one neuron each, original numbering) translated to the cone's numbering.
  HostRows Translate(const HostRows& rows) const;

 private:
  ir::Cone cone_;
  std::unique_ptr<Plan> plan_;
  InputBoxes boxes_;
  Relaxation<float> relaxation32_;
  Relaxation<double> relaxation64_;
  std::optional<Magnitudes> magnitudes_;
  std::vector<int32_t> cone_of_neuron_;  // of the output node; -1 outside
};

}  // namespace espalier::bounds
