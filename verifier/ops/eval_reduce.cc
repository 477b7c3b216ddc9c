// ReduceSum and ReduceMean over constant axes (attribute or input).
#include <algorithm>

#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

struct Reduction {
  Shape kept;    // input shape with reduced dimensions set to 1
  Shape output;  // the same, without them when keepdims is 0
};

absl::StatusOr<Reduction> ReadReduction(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  ESPALIER_ASSIGN_OR_RETURN(std::vector<int64_t> axes,
                            ReadAxes(context, 1, static_cast<int64_t>(shape.size())));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t keep, context.Int("keepdims", 1));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t noop, context.Int("noop_with_empty_axes", 0));
  const bool all = axes.empty() && noop == 0;
  Reduction reduction;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool reduced = all || std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    reduction.kept.push_back(reduced ? 1 : shape[d]);
    if (!reduced || keep != 0) reduction.output.push_back(reduction.kept.back());
  }
  return reduction;
}

}  // namespace

InferResult InferReduce(const OpContext& context) {
  const ElementType type = context.InputType(0);
  if (!IsFloat(type) && !IsInteger(type)) return context.Unsupported("this element type is not supported");
  ESPALIER_ASSIGN_OR_RETURN(Reduction reduction, ReadReduction(context));
  return std::vector<OutputInfo>{{type, std::move(reduction.output)}};
}

EvaluateResult EvaluateReduce(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(Reduction reduction, ReadReduction(context));
  const Tensor& x = *inputs[0];
  const auto size = static_cast<size_t>(*ElementCount(reduction.output));
  const bool mean = context.node().op == "ReduceMean";
  const std::vector<int64_t> strides = BroadcastStrides(reduction.kept, x.shape);
  Tensor out{x.type, std::move(reduction.output), {}};
  std::visit(
      [&](const auto& values) {
        using T = typename std::decay_t<decltype(values)>::value_type;
        using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
        std::vector<Sum> sums(size, 0);
        ForEachBroadcast<1>(x.shape, {strides}, [&](size_t i, const std::array<int64_t, 1>& at) {
          sums[static_cast<size_t>(at[0])] += static_cast<Sum>(values[i]);
        });
        std::vector<T> result(size);
        for (size_t i = 0; i < size; ++i) {
          if constexpr (std::is_floating_point_v<T>) {
            result[i] = static_cast<T>(
                mean ? sums[i] / (static_cast<double>(values.size()) / static_cast<double>(size)) : sums[i]);
          } else {
            const auto sum = static_cast<int64_t>(sums[i]);
            result[i] = static_cast<T>(mean ? sum / static_cast<int64_t>(values.size() / size) : sum);
          }
        }
        out.data = std::move(result);
      },
      x.data);
  return std::vector<Tensor>{std::move(out)};
}

}  // namespace espalier::ops
