// Optimised slopes and split multipliers for a batch of rows (α-CROWN, Xu et al. 2021; β-CROWN, Wang et al.
// 2021), without autodiff: the row's minimising corner is pushed forward through the chosen lines, which
// gives the derivative of the bound with respect to every free slope and multiplier (design.md, section
// "Gradients").
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/backward.h"

namespace espalier::bounds {

struct OptimiseSettings {
  int64_t iterations = 20;  // backward passes; the first one is at the start slopes
  double alpha_rate = 0.1;
  double beta_rate = 0.05;
  double decay = 0.98;    // of both rates per iteration
  bool keep_best = true;  // keep each row's best slopes in slopes->best (and splits' best)
};

struct OptimiseResult {
  std::vector<double> best;                     // [rows] best bound seen (not certified)
  std::vector<std::vector<double>> trajectory;  // [iterations][rows] when wanted
};

template <class T>
class Optimiser {
 public:
  explicit Optimiser(const Plan& plan) : plan_(plan), pass_(plan) {}

  // Allocates slopes for `rows` at the lines' adaptive start. Activations after in.start get nothing.
  absl::Status StartSlopes(const BackwardInput<T>& in, Slopes<T>& slopes);

  // Runs the iterations. Stops early when `done(best)` says so (may be null) or `stop` fires after at least
  // one pass. in.slopes must be set and allocated. After return slopes->best holds the best slopes when
  // keep_best is set.
  absl::Status Run(BackwardInput<T> in, const OptimiseSettings& settings,
                   const std::function<bool(const std::vector<double>&)>& done, StopToken stop,
                   OptimiseResult& result, bool want_trajectory = false);

  BackwardPass<T>& pass() { return pass_; }
  // [rows][inputs], device: the corners of the last backward pass.
  const T* corner() const { return corner_.data(); }
  // Coefficients at unstable neurons from the last backward pass, per activation.
  const std::vector<backend::Buffer<T>>& saved() const { return saved_; }

 private:
  absl::Status KeepBest(const BackwardInput<T>& in, const std::vector<double>& best);

  const Plan& plan_;
  BackwardPass<T> pass_;
  std::vector<backend::Buffer<T>> saved_;
  backend::Buffer<T> corner_;
  backend::Buffer<double> bound_, best_;
};

}  // namespace espalier::bounds
