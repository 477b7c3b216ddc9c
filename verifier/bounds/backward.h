// One backward pass: linear lower bounds of many rows at once (CROWN, Zhang et al. 2018; with split
// multipliers β-CROWN, Wang et al. 2021, theorem 3.1).
//
// A row is a linear function of one node's neurons (dense coefficients, or ± one neuron). The pass
// substitutes each layer's lines backwards until only inputs are left and takes the minimum over the box.
// Upper bounds are the lower bounds of the negated row.
//
//   BackwardPass<float> pass(plan);
//   BackwardInput<float> in{.rows = ..., .start = output, .coefficients = c, .relaxation = &relaxation, ...};
//   ESPALIER_RETURN_IF_ERROR(pass.Run(in, out));
//
// With error != nullptr the result is certified: bound - error is below the true minimum for the real-valued
// network, whatever order the sums were made in. NaN or infinite coefficients give NaN bounds, which prove
// nothing.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "verifier/backend/backend.h"
#include "verifier/bounds/magnitude.h"
#include "verifier/bounds/plan.h"
#include "verifier/bounds/relaxation.h"

namespace espalier::bounds {

// Free slopes per activation, each [rows][unstable(a)], device. Empty vector: the lines' adaptive start.
template <class T>
struct Slopes {
  std::vector<backend::Buffer<T>> alpha, first, second, best;
};

// Split constraints per activation in compressed rows (see backend::SplitRows). Empty vector: none.
template <class T>
struct Splits {
  struct Layer {
    backend::Buffer<int32_t> begin, neuron;
    backend::Buffer<T> sign, beta, first, second, best;
    int64_t count = 0;
  };
  std::vector<Layer> layers;
};

template <class T>
struct BackwardInput {
  backend::RowSet rows;
  ir::NodeId start = 0;
  const T* coefficients = nullptr;       // [rows][size(start)], or
  const int32_t* unit_neuron = nullptr;  // [rows] with unit_sign [rows]: rows ± one neuron of `start`
  const T* unit_sign = nullptr;
  const T* input_coefficients = nullptr;  // [rows][inputs], added at the input; may be null
  const double* offset = nullptr;         // [rows], added to the bound (minus a right-hand side); may be null
  const double* offset_error = nullptr;   // [rows], what the row's own making may have lost; may be null
  const Relaxation<T>* relaxation = nullptr;
  const T* input_lower = nullptr;  // [boxes][inputs]
  const T* input_upper = nullptr;
  const int32_t* box_of_row = nullptr;  // [rows]
  Slopes<T>* slopes = nullptr;          // null: adaptive start
  bool use_best = false;                // with slopes->best and splits' best instead of the current ones
  Splits<T>* splits = nullptr;
  const Magnitudes* magnitudes = nullptr;  // needed when `error` is wanted
};

template <class T>
struct BackwardOutput {
  double* bound = nullptr;                           // [rows]
  double* error = nullptr;                           // [rows] or null
  T* corner = nullptr;                               // [rows][inputs] or null: the minimising corner
  std::vector<backend::Buffer<T>>* saved = nullptr;  // per activation [rows][unstable], grown as needed
  T* input_lambda = nullptr;                         // [rows][inputs] or null: coefficients at the input
};

template <class T>
class BackwardPass {
 public:
  explicit BackwardPass(const Plan& plan) : plan_(plan), buffers_(plan.nodes().size()) {}

  // RESOURCE_EXHAUSTED when the rows do not fit in memory.
  absl::Status Run(const BackwardInput<T>& in, const BackwardOutput<T>& out);

  // Forward through the lines chosen by the last Run (its `saved` and `corner`), with one optimiser step on
  // slopes and split multipliers when `step` is given. Afterwards values(node) holds what each row's bound
  // attains there.
  absl::Status Step(const BackwardInput<T>& in, const BackwardOutput<T>& out, const backend::AdamStep* step);

  // [rows][size(node)] after Step with include_start: value of the start node along the lines; device.
  absl::Status StartValues(const BackwardInput<T>& in, T* values);

 private:
  absl::StatusOr<T*> Reserve(ir::NodeId node, int64_t rows);
  absl::Status BackwardAffine(const BackwardInput<T>& in, const BackwardOutput<T>& out, ir::NodeId id);
  absl::Status BackwardActivation(const BackwardInput<T>& in, const BackwardOutput<T>& out, ir::NodeId id);
  absl::Status Finish(const BackwardInput<T>& in, const BackwardOutput<T>& out);
  backend::SplitRows<T> SplitsOf(const BackwardInput<T>& in, int activation, bool step) const;
  double ErrorFactor(const PlanNode& node) const;
  double SumFactor(int64_t size) const;

  const Plan& plan_;
  std::vector<backend::Buffer<T>> buffers_;  // per node, grown as needed
  std::vector<T*> lambda_;                   // per node: where its coefficients (or values) are now, or null
  backend::Buffer<double> device_acc_;
};

}  // namespace espalier::bounds
