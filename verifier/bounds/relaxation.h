// Relaxation: the lines that enclose every activation neuron, for a batch of domains, on the device.
//
// Of each activation layer only the neurons that are not linear in the same way in all domains ("unstable")
// keep per-domain lines; all others have one slope. Host bounds are double and are rounded outward to T.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/bounds/plan.h"

namespace espalier::bounds {

// Pre-activation bounds of one activation layer for D domains, host, [domains][neurons]; empty: not known
// yet.
struct LayerBox {
  std::vector<double> lower, upper;
};

template <class T>
class Relaxation {
 public:
  // One layer per activation of the plan; layers that are still empty get no lines (nothing may propagate
  // through them).
  static absl::StatusOr<Relaxation<T>> Make(const Plan& plan, const std::vector<LayerBox>& bounds,
                                            int64_t domains);
  // Sets one more layer's lines (or replaces them).
  absl::Status AddLayer(const Plan& plan, int activation, const LayerBox& box);

  int64_t domains() const { return domains_; }
  bool known(int activation) const { return layers_[static_cast<size_t>(activation)].known; }
  backend::LayerLines<T> lines(int activation) const;
  // Unstable neurons of the layer, ascending.
  const std::vector<int32_t>& unstable(int activation) const {
    return layers_[static_cast<size_t>(activation)].host_index;
  }

  // Replaces the domains: lower[a], upper[a] are [domains][unstable(a)] in T, already outward.
  absl::Status SetDomains(const Plan& plan, int64_t domains, const std::vector<std::vector<T>>& lower,
                          const std::vector<std::vector<T>>& upper);

 private:
  struct Layer {
    bool known = false;
    int64_t neurons = 0;
    std::vector<int32_t> host_index;
    backend::Buffer<int32_t> index;
    backend::Buffer<T> stable_slope, convex, left, right;
    const T* intercept = nullptr;
    backend::Buffer<T> lower, upper, chord_slope, chord_intercept, free_lo, free_hi, free_start;
  };

  static absl::Status BuildStatic(const Plan& plan, int activation, const LayerBox& box, int64_t domains,
                                  Layer& layer);
  absl::Status SetLayer(const Plan& plan, int64_t domains, const std::vector<T>& lower,
                        const std::vector<T>& upper, Layer& layer);

  int64_t domains_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace espalier::bounds
