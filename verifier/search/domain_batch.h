// Domains of the ReLU branch and bound as one batch on the device: rows are domains, one lower bound each.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/compact_narrow.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/bounds/optimise.h"
#include "verifier/search/domain.h"
#include "verifier/search/problem.h"

namespace espalier::search {

// What all domains of one box share: the root's certified bounds and the lines' static part, in both
// precisions.
struct SharedRoot {
  bounds::DomainBounds bounds;
  bounds::Relaxation<float> relaxation32;
  bounds::Relaxation<double> relaxation64;
  int64_t slope_count = 0;  // unstable neurons over all layers
  // What is left of the network; null until a bounder is made, and where it is not kept.
  std::shared_ptr<const bounds::LeftNetwork> left;

  static absl::StatusOr<SharedRoot> Make(const bounds::Plan& plan, bounds::DomainBounds bounds);
  // An unstable neuron in the plan's numbers.
  int64_t NeuronOf(const bounds::Plan& plan, int layer, int32_t unstable) const {
    return plan.activation_begin(layer) + relaxation64.unstable(layer)[static_cast<size_t>(unstable)];
  }
};

// Builds device arrays for `domains` in precision T: per-domain lines with the splits applied, slopes,
// multipliers, and rows (the weighted combination of each domain's target).
template <class T>
class DomainBatch {
 public:
  // `part`: a box inside the root's, for all domains; null: the root's own. Outlives the batch.
  DomainBatch(const Run& run, SharedRoot& root, const bounds::InputBoxes* part = nullptr)
      : run_(run), root_(root), part_(part) {}

  absl::Status Load(const std::vector<const Domain*>& domains);
  bounds::BackwardInput<T> Input();
  bounds::Slopes<T>& slopes() { return slopes_; }
  bounds::Splits<T>& splits() { return splits_; }

  // Writes row r's slopes and multipliers (the best ones when `best`) back into its domain.
  void Store(bool best, const std::vector<Domain*>& domains);

 private:
  absl::Status LoadBounds(const std::vector<const Domain*>& domains);
  absl::Status LoadSlopes(const std::vector<const Domain*>& domains);
  absl::Status LoadSplits(const std::vector<const Domain*>& domains);
  bounds::Relaxation<T>& relaxation();

  const Run& run_;
  SharedRoot& root_;
  const bounds::InputBoxes* part_;
  bounds::Slopes<T> slopes_;
  bounds::Splits<T> splits_;
  bounds::DeviceRows<T> rows_;
  int64_t count_ = 0;
};

// Certified margins of the domains with their stored slopes, multipliers and weights: float64, allowance
// taken off. `part` as for DomainBatch. `details`: corners and input coefficients, when asked for.
absl::StatusOr<std::vector<double>> CertifyDomains(Run& run, SharedRoot& root,
                                                   const std::vector<const Domain*>& domains,
                                                   const bounds::InputBoxes* part = nullptr,
                                                   bounds::RowDetails* details = nullptr);

}  // namespace espalier::search
