// Rows on the host (what is to be bounded) and on the device (what a pass reads).
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/backward.h"
#include "verifier/bounds/plan.h"

namespace espalier::bounds {

// Boxes of D domains, [domains][inputs], stored input order; a single one serves the rows of all domains.
struct InputBoxes {
  int64_t domains = 0;
  std::vector<double> lower, upper;
};

// Rows over one node: ± one neuron each (neuron, sign), or dense coefficients [rows][size(start)].
struct HostRows {
  ir::NodeId start = 0;
  std::vector<int32_t> domain;  // [rows]
  std::vector<int32_t> neuron;
  std::vector<double> sign;
  std::vector<double> coefficients;
  std::vector<double> input_coefficients;  // [rows][inputs] or empty
  std::vector<double> offset;              // [rows] or empty: added to the bound
  std::vector<double> offset_error;        // [rows] or empty: see BackwardInput

  int64_t count() const { return static_cast<int64_t>(domain.size()); }
  HostRows Slice(int64_t begin, int64_t end, int64_t start_size, int64_t inputs) const;
};

// Device copies of rows and boxes (boxes rounded outward to T), and a BackwardInput that points to them.
template <class T>
class DeviceRows {
 public:
  static absl::StatusOr<DeviceRows<T>> Make(const Plan& plan, const HostRows& rows, const InputBoxes& boxes);
  BackwardInput<T> Input(const Relaxation<T>& relaxation) const;

 private:
  int64_t count_ = 0;
  ir::NodeId start_ = 0;
  backend::Buffer<int32_t> domain_, box_, neuron_;
  backend::Buffer<T> sign_, coefficients_, input_coefficients_, lower_, upper_;
  backend::Buffer<double> offset_, offset_error_;
};

// What rows are bounded over. All pointers outlive the use.
struct Scope {
  const Plan* plan = nullptr;
  const InputBoxes* boxes = nullptr;
  const Relaxation<float>* relaxation32 = nullptr;
  const Relaxation<double>* relaxation64 = nullptr;
  const Magnitudes* magnitudes = nullptr;
};

// What a certified pass can tell besides the bounds, host, [rows][inputs] where nothing else is said; filled
// when asked for.
struct RowDetails {
  std::vector<double> corner;        // the box corner that attains the bound
  std::vector<double> input_lambda;  // the bound's coefficients at the input
  // Per activation, [rows][unstable] of the relaxation: the coefficients that met the neurons' lines. Only
  // when asked for: there may be thousands a row.
  bool neurons = false;
  std::vector<std::vector<double>> neuron_lambda;
};

// Splits of one activation, row by row, as the backward pass reads them.
template <class T>
struct HostSplits {
  std::vector<int32_t> begin{0}, neuron;
  std::vector<T> sign, beta;

  void Add(int32_t split_neuron, double split_sign, float split_beta) {
    neuron.push_back(split_neuron);
    sign.push_back(static_cast<T>(split_sign));
    beta.push_back(static_cast<T>(split_beta));
  }
  void EndRow() { begin.push_back(static_cast<int32_t>(neuron.size())); }
  // With beta as the best multipliers; nothing of an optimiser's.
  absl::StatusOr<typename Splits<T>::Layer> ToDevice(backend::Backend& backend) const;
};

// Sides of neurons (splits) that all rows of a bound are on, with a multiplier for each row and side.
struct RowSides {
  std::vector<int32_t> activation, neuron;  // [sides]
  std::vector<int8_t> sign;                 // [sides] +1: pre-activation >= 0, -1: <= 0
  std::vector<float> beta;                  // [rows][sides], >= 0
  size_t count() const { return activation.size(); }
};

// The corners of the (single) box at which sums with the coefficients [rows][inputs] are least.
std::vector<double> CornersOf(const std::vector<double>& lambda, const InputBoxes& boxes);

// Takes bound - allowance of a finished pass to the host; NaN becomes -infinity.
std::vector<double> TakeCertified(backend::Backend& backend, const backend::Buffer<double>& bound,
                                  const backend::Buffer<double>& error, int64_t rows);

// One float64 pass over `in` (magnitudes set): certified lower bounds, and details when asked for. A bound
// that is NaN proves nothing and comes back as -infinity.
absl::StatusOr<std::vector<double>> CertifiedPass(const Plan& plan, const BackwardInput<double>& in,
                                                  RowDetails* details);

// Certified lower bounds of the rows: one float64 pass with the rounding allowance taken off. `slopes` (best)
// come from a float32 optimisation of the same rows, or are null: adaptive slopes. A bound that is NaN proves
// nothing and comes back as -infinity. Of the scope, relaxation32 is not read.
// With `sides` the bounds hold on these sides only; those of neurons behind the rows' node have no part in
// it.
absl::StatusOr<std::vector<double>> CertifiedBounds(const Scope& scope, const HostRows& rows,
                                                    const Slopes<float>* slopes,
                                                    RowDetails* details = nullptr,
                                                    const RowSides* sides = nullptr);

}  // namespace espalier::bounds
