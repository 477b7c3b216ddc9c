// Certified bounds of the difference of two networks over a box, two ways, the better one of each output:
// the joined network (difference_network.h), where both are relaxed apart, and, for networks of the same
// shape, the twin network (twin_network.h), which follows their gap.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto bounder, PairBounder::Make(base, other, {.alpha_iterations = 20},
//   backend)); ESPALIER_ASSIGN_OR_RETURN(PairBounds b, bounder->Bound(lower, upper, /*seed=*/0, stop));
//
// Keeps references to both networks and the backend. One thread.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/graft/difference_network.h"
#include "verifier/graft/difference_search.h"
#include "verifier/graft/twin_network.h"

namespace espalier::graft {

struct PairSettings {
  int64_t alpha_iterations = 20;
};

struct PairBounds {
  double joined = 0, twin = 0;  // max |difference| of the two ways; +infinity: not bounded, no twins,
                                // or left out because the networks are too far apart for it to help
  double best = 0;              // with the better way of each output and sign
  std::vector<double> point;    // where the search found the largest difference, base's stored order
};

class PairBounder {
 public:
  static absl::StatusOr<std::unique_ptr<PairBounder>> Make(const ir::Network& base, const ir::Network& other,
                                                           const PairSettings& settings,
                                                           backend::Backend& backend);

  // The box is in base's stored order. CANCELLED when `stop` fires.
  absl::StatusOr<PairBounds> Bound(const std::vector<double>& lower, const std::vector<double>& upper,
                                   uint64_t seed, StopToken stop);

  const ir::Network& joined() const { return joined_.network; }

 private:
  PairBounder(const ir::Network& base, const ir::Network& other, const PairSettings& settings)
      : base_(base), other_(other), settings_(settings) {}

  // Bounds of pre-activations by node of the base or other network (empty for nodes that are no activations).
  using NodeBoxes = std::vector<bounds::LayerBox>;
  absl::StatusOr<NodeBoxes> Intermediate(const bounds::Plan& plan, const bounds::InputBoxes& boxes,
                                         StopToken stop) const;
  absl::StatusOr<std::vector<double>> JoinedRows(const bounds::InputBoxes& boxes, const NodeBoxes& base,
                                                 const NodeBoxes& other, StopToken stop) const;
  absl::StatusOr<std::vector<double>> TwinRows(bounds::InputBoxes boxes, const NodeBoxes& base,
                                               const NodeBoxes& other, StopToken stop);
  // How gaps go through activations, and whether following them promises more than two relaxations apart.
  struct Choice {
    std::vector<GapLines> lines;
    bool worthwhile = true;
  };
  absl::StatusOr<Choice> ChooseLines(const NodeBoxes& base, const NodeBoxes& other);
  bounds::InputBoxes OtherBox(const bounds::InputBoxes& boxes) const;

  const ir::Network& base_;
  const ir::Network& other_;
  PairSettings settings_;
  JoinedNetwork joined_;
  std::unique_ptr<bounds::Plan> base_plan_, other_plan_, joined_plan_;
  std::unique_ptr<DifferenceSearch> search_;
  bool twins_ = false;
};

}  // namespace espalier::graft
