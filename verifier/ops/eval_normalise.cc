// BatchNormalization with stored statistics, and Softmax.
#include <cmath>

#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

// y = (x - mean) / sqrt(var + epsilon) * scale + bias, computed in double and rounded once.
template <class T>
Tensor NormaliseOf(double epsilon, Inputs inputs) {
  Tensor out = *inputs[0];
  auto& values = std::get<std::vector<T>>(out.data);
  const auto channels = static_cast<size_t>(out.shape[1]);
  const size_t outer = static_cast<size_t>(out.shape[0]);
  const size_t plane = values.size() / (channels * outer);
  for (size_t n = 0; n < outer; ++n) {
    for (size_t c = 0; c < channels; ++c) {
      const auto at = static_cast<int64_t>(c);
      const double factor = inputs[1]->AsDouble(at) / std::sqrt(inputs[4]->AsDouble(at) + epsilon);
      const double mean = inputs[3]->AsDouble(at), bias = inputs[2]->AsDouble(at);
      T* x = values.data() + (n * channels + c) * plane;
      for (size_t p = 0; p < plane; ++p)
        x[p] = static_cast<T>((static_cast<double>(x[p]) - mean) * factor + bias);
    }
  }
  return out;
}

// Softmax along the middle of [outer, extent, inner].
template <class T>
Tensor SoftmaxOf(int64_t outer, int64_t extent, int64_t inner, const Tensor& x) {
  Tensor out = x;
  auto& values = std::get<std::vector<T>>(out.data);
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      T* base = values.data() + o * extent * inner + i;
      T largest = base[0];
      for (int64_t k = 1; k < extent; ++k) largest = std::max(largest, base[k * inner]);
      double sum = 0;
      for (int64_t k = 0; k < extent; ++k) {
        base[k * inner] = std::exp(base[k * inner] - largest);
        sum += static_cast<double>(base[k * inner]);
      }
      for (int64_t k = 0; k < extent; ++k)
        base[k * inner] = static_cast<T>(static_cast<double>(base[k * inner]) / sum);
    }
  }
  return out;
}

}  // namespace

InferResult InferBatchNormalization(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  const Shape& shape = context.InputShape(0);
  if (shape.size() < 2) return context.Invalid("the input needs a channel dimension");
  if (*ElementCount(shape) == 0) return context.Invalid("the input is empty");
  ESPALIER_ASSIGN_OR_RETURN(const int64_t training, context.Int("training_mode", 0));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t spatial, context.Int("spatial", 1));
  if (training != 0 || context.node().outputs.size() > 1)
    return context.Unsupported("training mode is not supported");
  if (spatial != 1) return context.Unsupported("spatial = 0 is not supported");
  ESPALIER_ASSIGN_OR_RETURN(const double epsilon, context.Float("epsilon", kDefaultEpsilon));
  for (int i = 1; i < 5; ++i) {
    if (context.InputShape(i) != Shape{shape[1]})
      return context.Invalid("a statistic does not have one entry per channel");
  }
  const Tensor* variance = context.Constant(4);
  for (int64_t c = 0; variance != nullptr && c < variance->size(); ++c) {
    if (!(variance->AsDouble(c) + epsilon > 0)) return context.Invalid("variance + epsilon is not positive");
  }
  return std::vector<OutputInfo>{{context.InputType(0), shape}};
}

EvaluateResult EvaluateBatchNormalization(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const double epsilon, context.Float("epsilon", kDefaultEpsilon));
  return std::vector<Tensor>{inputs[0]->type == ElementType::kFloat32 ? NormaliseOf<float>(epsilon, inputs)
                                                                      : NormaliseOf<double>(epsilon, inputs)};
}

InferResult InferSoftmax(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  const Shape& shape = context.InputShape(0);
  ESPALIER_ASSIGN_OR_RETURN(int64_t axis, context.Int("axis", context.opset() < 13 ? 1 : -1));
  if (*ElementCount(shape) == 0) return context.Invalid("the input is empty");
  ESPALIER_RETURN_IF_ERROR(NormaliseAxis(context, axis, static_cast<int64_t>(shape.size())).status());
  return std::vector<OutputInfo>{{context.InputType(0), shape}};
}

EvaluateResult EvaluateSoftmax(const OpContext& context, Inputs inputs) {
  const Shape& shape = inputs[0]->shape;
  const auto rank = static_cast<int64_t>(shape.size());
  ESPALIER_ASSIGN_OR_RETURN(int64_t axis, context.Int("axis", context.opset() < 13 ? 1 : -1));
  ESPALIER_ASSIGN_OR_RETURN(axis, NormaliseAxis(context, axis, rank));
  int64_t outer = 1, inner = 1;
  for (int64_t d = 0; d < axis; ++d) outer *= shape[static_cast<size_t>(d)];
  for (int64_t d = axis + 1; d < rank; ++d) inner *= shape[static_cast<size_t>(d)];
  int64_t extent = shape[static_cast<size_t>(axis)];
  // Before opset 13 everything from the axis on is one distribution.
  if (context.opset() < 13) extent *= std::exchange(inner, 1);
  return std::vector<Tensor>{inputs[0]->type == ElementType::kFloat32
                                 ? SoftmaxOf<float>(outer, extent, inner, *inputs[0])
                                 : SoftmaxOf<double>(outer, extent, inner, *inputs[0])};
}

}  // namespace espalier::ops
