// Inputs where two networks differ most: projected gradient ascent through their difference network, several
// starts at once.
//
//   DifferenceSearch search(plan);     // plan of the joined network (difference_network.h)
//   ESPALIER_ASSIGN_OR_RETURN(std::vector<double> x, search.Run({lower, upper, seed}));
//
// Each start climbs the output that differs most where it stands. float32 on the backend; the point returned
// is exact as double and lies in the box.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/plan.h"

namespace espalier::graft {

class DifferenceSearch {
 public:
  static constexpr int64_t kStarts = 8;  // the first at the centre
  static constexpr int64_t kSteps = 20;

  explicit DifferenceSearch(const bounds::Plan& plan) : plan_(plan) {}

  // The best point seen, stored order.
  absl::StatusOr<std::vector<double>> Run(const std::vector<double>& lower, const std::vector<double>& upper,
                                          uint64_t seed);
  // Values of a node at the starts' last points, [kStarts][size].
  absl::StatusOr<std::vector<float>> Values(ir::NodeId node);

 private:
  absl::Status Allocate();
  absl::Status Forward();
  absl::Status Backward();
  void KeepBest(const std::vector<float>& output);

  const bounds::Plan& plan_;
  std::vector<backend::Buffer<float>> values_, slopes_;  // per node, [kStarts][size]
  std::vector<float> x_, gradient_, direction_;          // [kStarts][inputs or outputs]
  std::vector<float> best_;
  double best_value_ = -1;
};

}  // namespace espalier::graft
