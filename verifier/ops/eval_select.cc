// Where, and the graft spelled as one node: LinearMaskedRelu(x, mask, slope, bias), which computes
// (1 - mask) * relu(x) + mask * (slope * x + bias) with mask 0/1 as float or bool.
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

template <class T>
Tensor Select(const Tensor& condition, const Tensor& yes, const Tensor& no, const Shape& shape) {
  const auto& pick = Elements<uint8_t>(condition);
  const auto& a = Elements<T>(yes);
  const auto& b = Elements<T>(no);
  std::vector<T> out(static_cast<size_t>(*ElementCount(shape)));
  ForEachBroadcast<3>(shape,
                      {BroadcastStrides(condition.shape, shape), BroadcastStrides(yes.shape, shape),
                       BroadcastStrides(no.shape, shape)},
                      [&](size_t i, const std::array<int64_t, 3>& at) {
                        out[i] = pick[static_cast<size_t>(at[0])] != 0 ? a[static_cast<size_t>(at[1])]
                                                                       : b[static_cast<size_t>(at[2])];
                      });
  return Tensor{yes.type, shape, std::move(out)};
}

template <class T>
Tensor GraftedRelu(Inputs inputs, const std::vector<double>& mask) {
  const Shape& shape = inputs[0]->shape;
  const auto& x = Elements<T>(*inputs[0]);
  const auto& slope = Elements<T>(*inputs[2]);
  const auto& bias = Elements<T>(*inputs[3]);
  std::vector<T> out(x.size());
  ForEachBroadcast<3>(shape,
                      {BroadcastStrides(inputs[1]->shape, shape), BroadcastStrides(inputs[2]->shape, shape),
                       BroadcastStrides(inputs[3]->shape, shape)},
                      [&](size_t i, const std::array<int64_t, 3>& at) {
                        const bool grafted = mask[static_cast<size_t>(at[0])] != 0;
                        const T line =
                            slope[static_cast<size_t>(at[1])] * x[i] + bias[static_cast<size_t>(at[2])];
                        out[i] = grafted ? line : (x[i] < 0 ? T{0} : x[i]);
                      });
  return Tensor{inputs[0]->type, shape, std::move(out)};
}

}  // namespace

InferResult InferWhere(const OpContext& context) {
  if (context.InputType(0) != ElementType::kBool) return context.Invalid("the condition must be bool");
  if (context.InputType(1) != context.InputType(2)) return context.Invalid("element types of inputs differ");
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastInputs(context));
  return std::vector<OutputInfo>{{context.InputType(1), std::move(shape)}};
}

EvaluateResult EvaluateWhere(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(context, inputs[0]->shape, inputs[1]->shape));
  ESPALIER_ASSIGN_OR_RETURN(shape, BroadcastShapes(context, shape, inputs[2]->shape));
  return std::visit(
      [&](const auto& elements) {
        using T = typename std::decay_t<decltype(elements)>::value_type;
        return std::vector<Tensor>{Select<T>(*inputs[0], *inputs[1], *inputs[2], shape)};
      },
      inputs[1]->data);
}

InferResult InferLinearMaskedRelu(const OpContext& context) {
  const ElementType type = context.InputType(0);
  if (!IsFloat(type)) return context.Unsupported("the input must be floating point");
  if (context.InputType(1) != type && context.InputType(1) != ElementType::kBool) {
    return context.Invalid("the mask must be bool or of the input's element type");
  }
  if (context.InputType(2) != type || context.InputType(3) != type) {
    return context.Invalid("element types of inputs differ");
  }
  ESPALIER_ASSIGN_OR_RETURN(const Shape shape, BroadcastInputs(context));
  if (shape != context.InputShape(0))
    return context.Invalid("mask, slope and bias must broadcast to the input");
  return std::vector<OutputInfo>{{type, shape}};
}

EvaluateResult EvaluateLinearMaskedRelu(const OpContext& context, Inputs inputs) {
  const std::vector<double> mask = inputs[1]->ToDoubles();
  for (double m : mask) {
    if (m != 0 && m != 1) return context.Invalid("the mask holds values other than 0 and 1");
  }
  return std::vector<Tensor>{inputs[0]->type == ElementType::kFloat32 ? GraftedRelu<float>(inputs, mask)
                                                                      : GraftedRelu<double>(inputs, mask)};
}

}  // namespace espalier::ops
