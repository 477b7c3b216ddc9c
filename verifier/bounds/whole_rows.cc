#include "verifier/bounds/whole_rows.h"

#include <algorithm>
#include <utility>

#include "verifier/base/status.h"
#include "verifier/bounds/refine.h"
#include "verifier/bounds/row_network.h"

namespace espalier::bounds {

absl::StatusOr<WholeRows> WholeRows::Make(const Plan& plan, const std::vector<LayerBox>& layers,
                                          const RowNetwork& network) {
  WholeRows rows(plan, network);
  ESPALIER_ASSIGN_OR_RETURN(rows.relaxation_, Relaxation<double>::Make(plan, layers, 1));
  return rows;
}

absl::Status WholeRows::AddLayer(int activation, const LayerBox& box) {
  return relaxation_.AddLayer(*plan_, activation, box);
}

// The slopes of the rows for the neurons that are still unstable in the tightened relaxation.
absl::StatusOr<Slopes<float>> WholeRows::SlopesOf(const ChosenRows& of) const {
  Slopes<float> slopes;
  slopes.best.resize(network_->unstable().size());
  for (int a = 0; a < of.activation; ++a) {
    const std::vector<int32_t>&now = relaxation_.unstable(a), &all = network_->unstable(a);
    std::vector<size_t> number;  // of those still unstable
    for (size_t j = 0, k = 0; j < all.size(); ++j) {
      if (k < now.size() && now[k] == all[j])
        number.push_back(static_cast<size_t>(network_->first(a)) + j), ++k;
    }
    std::vector<float> values;
    values.reserve(number.size() * of.chosen->size());
    for (const size_t r : *of.chosen) {
      for (const size_t k : number) values.push_back((*of.rows)[r].exact_slopes[k]);
    }
    // On its side a neuron is linear: the free line is that line, whatever was learned.
    for (const NeuronSide& side : of.sides) {
      if (side.activation != a) continue;
      const auto at = std::lower_bound(now.begin(), now.end(), side.neuron);
      if (at == now.end() || *at != side.neuron) continue;
      const ir::HingeLayer& hinge = plan_->hinge(side.activation);
      const auto i = static_cast<size_t>(side.neuron), k = static_cast<size_t>(at - now.begin());
      const auto slope = static_cast<float>(side.sign > 0 ? hinge.right[i] : hinge.left[i]);
      for (size_t r = 0; r < of.chosen->size(); ++r) values[r * number.size() + k] = slope;
    }
    ESPALIER_ASSIGN_OR_RETURN(slopes.best[static_cast<size_t>(a)], ToDevice<float>(plan_->backend(), values));
  }
  return slopes;
}

// The sides that the rows meet, with each row's best multipliers.
RowSides WholeRows::SidesOf(const ChosenRows& of) const {
  RowSides sides;
  for (const NeuronSide& side : of.sides) {
    const std::vector<int32_t>& unstable = network_->unstable(side.activation);
    if (side.activation >= of.activation) continue;
    if (!std::binary_search(unstable.begin(), unstable.end(), side.neuron)) continue;
    sides.activation.push_back(side.activation);
    sides.neuron.push_back(side.neuron);
    sides.sign.push_back(side.sign);
  }
  for (const size_t r : *of.chosen) {
    for (const backend::CompactSplit& split : (*of.rows)[r].splits) sides.beta.push_back(split.beta);
  }
  return sides;
}

absl::StatusOr<std::vector<double>> WholeRows::Certify(const DomainBounds& bounds, const ChosenRows& of,
                                                       RowDetails* details) {
  HostRows certified;
  certified.start = plan_->node(plan_->activations()[static_cast<size_t>(of.activation)]).predecessor;
  for (const size_t r : *of.chosen) {
    certified.domain.push_back(0);
    certified.neuron.push_back(network_->unstable(of.activation)[r / 2]);
    certified.sign.push_back(static_cast<double>((*of.rows)[r].sign));
  }
  ESPALIER_ASSIGN_OR_RETURN(const Slopes<float> slopes, SlopesOf(of));
  const Scope scope{plan_, &bounds.boxes, nullptr, &relaxation_, &bounds.magnitudes};
  const RowSides sides = SidesOf(of);
  return CertifiedBounds(scope, certified, &slopes, details, &sides);
}

}  // namespace espalier::bounds
