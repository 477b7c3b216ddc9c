// Certificates of rows of inner layers by float64 passes over the whole network, for devices that have none
// on what is left of it (refine.cc).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/compact.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/bounds/relaxation.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

class RowNetwork;
struct NeuronSide;

// Some of a layer's rows, two per unstable neuron, with exact slopes and the multipliers of the sides that
// they meet.
struct ChosenRows {
  int activation = 0;
  const std::vector<backend::CompactDomain>* rows = nullptr;
  const std::vector<size_t>* chosen = nullptr;
  const std::vector<NeuronSide>& sides;
};

class WholeRows {
 public:
  // `network`: without cuts; numbers the neurons, and outlives this.
  static absl::StatusOr<WholeRows> Make(const Plan& plan, const std::vector<LayerBox>& layers,
                                        const RowNetwork& network);
  // The activation's bounds are `box` from now on.
  absl::Status AddLayer(int activation, const LayerBox& box);
  absl::StatusOr<std::vector<double>> Certify(const DomainBounds& bounds, const ChosenRows& rows,
                                              RowDetails* details);

 private:
  WholeRows(const Plan& plan, const RowNetwork& network) : plan_(&plan), network_(&network) {}
  absl::StatusOr<Slopes<float>> SlopesOf(const ChosenRows& rows) const;
  RowSides SidesOf(const ChosenRows& rows) const;

  const Plan* plan_;
  const RowNetwork* network_;
  Relaxation<double> relaxation_;
};

}  // namespace espalier::bounds
