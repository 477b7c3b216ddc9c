// Operators that act on every element by itself. Float inputs are computed in their own type.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

// What one element becomes; the slope is LeakyRelu's.
enum class Function { kRelu, kLeakyRelu, kSigmoid, kTanh, kExp, kSqrt };

Function FunctionOf(const std::string& op) {
  if (op == "Relu") return Function::kRelu;
  if (op == "LeakyRelu") return Function::kLeakyRelu;
  if (op == "Sigmoid") return Function::kSigmoid;
  if (op == "Tanh") return Function::kTanh;
  return op == "Exp" ? Function::kExp : Function::kSqrt;
}

// 1 / (1 + e^-x) without overflow on either side.
template <class T>
T Sigmoid(T x) {
  const T e = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

template <class T>
void ApplyFunction(Function function, T slope, std::vector<T>& values) {
  for (T& x : values) {
    switch (function) {
      case Function::kRelu:
        x = x < 0 ? T{0} : x;
        break;
      case Function::kLeakyRelu:
        x = x < 0 ? slope * x : x;
        break;
      case Function::kSigmoid:
        x = Sigmoid(x);
        break;
      case Function::kTanh:
        x = std::tanh(x);
        break;
      case Function::kExp:
        x = std::exp(x);
        break;
      case Function::kSqrt:
        x = std::sqrt(x);
        break;
    }
  }
}

// Absolute value or negation; integers wrap around.
template <class T>
void AbsOrNegate(bool absolute, std::vector<T>& values) {
  for (T& x : values) {
    if constexpr (std::is_floating_point_v<T>) {
      x = absolute ? std::abs(x) : -x;
    } else if (!absolute || x < 0) {
      x = static_cast<T>(0 - static_cast<uint64_t>(x));
    }
  }
}

struct ClipRange {
  double low, high;
};

// The bounds of a Clip in either form; infinite where the node gives none.
absl::StatusOr<ClipRange> ReadClipRange(const OpContext& context, const Tensor* low, const Tensor* high) {
  ClipRange range{-INFINITY, INFINITY};
  if (context.opset() < 11) {
    ESPALIER_ASSIGN_OR_RETURN(range.low, context.Float("min", range.low));
    ESPALIER_ASSIGN_OR_RETURN(range.high, context.Float("max", range.high));
    return range;
  }
  if (low != nullptr) range.low = low->AsDouble(0);
  if (high != nullptr) range.high = high->AsDouble(0);
  return range;
}

template <class T>
void ClipAll(const ClipRange& range, std::vector<T>& values) {
  // min(max(x, low), high): the upper end wins when the range is empty. NaN stays NaN.
  for (T& x : values) {
    if (static_cast<double>(x) < range.low) x = static_cast<T>(range.low);
    if (static_cast<double>(x) > range.high) x = static_cast<T>(range.high);
  }
}

template <class T>
Tensor PReluOf(const Tensor& x, const Tensor& slope) {
  Tensor out = x;
  auto& values = std::get<std::vector<T>>(out.data);
  const auto& s = Elements<T>(slope);
  ForEachBroadcast<1>(x.shape, {BroadcastStrides(slope.shape, x.shape)},
                      [&](size_t i, const std::array<int64_t, 1>& at) {
                        if (values[i] < 0) values[i] *= s[static_cast<size_t>(at[0])];
                      });
  return out;
}

}  // namespace

InferResult InferUnary(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  ESPALIER_RETURN_IF_ERROR(context.Float("alpha", 0).status());
  return std::vector<OutputInfo>{{context.InputType(0), context.InputShape(0)}};
}

EvaluateResult EvaluateUnary(const OpContext& context, Inputs inputs) {
  const Function function = FunctionOf(context.node().op);
  ESPALIER_ASSIGN_OR_RETURN(const double alpha, context.Float("alpha", kDefaultLeakySlope));
  Tensor out = *inputs[0];
  if (auto* narrow = std::get_if<std::vector<float>>(&out.data)) {
    ApplyFunction(function, static_cast<float>(alpha), *narrow);
  } else {
    // The stored attribute is a float32; its own value is what the model means.
    ApplyFunction(function, static_cast<double>(static_cast<float>(alpha)),
                  std::get<std::vector<double>>(out.data));
  }
  return std::vector<Tensor>{std::move(out)};
}

InferResult InferSignedUnary(const OpContext& context) {
  if (!IsInteger(context.InputType(0))) return InferUnary(context);
  return std::vector<OutputInfo>{{context.InputType(0), context.InputShape(0)}};
}

EvaluateResult EvaluateSignedUnary(const OpContext& context, Inputs inputs) {
  const bool absolute = context.node().op == "Abs";
  Tensor out = *inputs[0];
  std::visit([absolute](auto& values) { AbsOrNegate(absolute, values); }, out.data);
  return std::vector<Tensor>{std::move(out)};
}

InferResult InferNot(const OpContext& context) {
  if (context.InputType(0) != ElementType::kBool) return context.Invalid("the input must be bool");
  return std::vector<OutputInfo>{{ElementType::kBool, context.InputShape(0)}};
}

EvaluateResult EvaluateNot(const OpContext&, Inputs inputs) {
  Tensor out = *inputs[0];
  for (uint8_t& value : std::get<std::vector<uint8_t>>(out.data)) value = value == 0;
  return std::vector<Tensor>{std::move(out)};
}

InferResult InferClip(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  if (context.opset() < 11 && context.input_count() > 1)
    return context.Invalid("bounds as inputs need opset 11");
  for (int i = 1; i < 3; ++i) {
    if (!context.HasInput(i)) continue;
    if (context.Constant(i) == nullptr) return context.Unsupported("the bounds must be constant");
    if (context.Constant(i)->size() != 1) return context.Invalid("the bounds must be scalars");
  }
  ESPALIER_RETURN_IF_ERROR(ReadClipRange(context, nullptr, nullptr).status());
  return std::vector<OutputInfo>{{context.InputType(0), context.InputShape(0)}};
}

EvaluateResult EvaluateClip(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const ClipRange range,
                            ReadClipRange(context, inputs.size() > 1 ? inputs[1] : nullptr,
                                          inputs.size() > 2 ? inputs[2] : nullptr));
  Tensor out = *inputs[0];
  if (auto* narrow = std::get_if<std::vector<float>>(&out.data)) {
    ClipAll(range, *narrow);
  } else {
    ClipAll(range, std::get<std::vector<double>>(out.data));
  }
  return std::vector<Tensor>{std::move(out)};
}

InferResult InferPRelu(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  ESPALIER_ASSIGN_OR_RETURN(const Shape shape, BroadcastInputs(context));
  if (shape != context.InputShape(0)) return context.Invalid("the slope must broadcast to the input");
  return std::vector<OutputInfo>{{context.InputType(0), shape}};
}

EvaluateResult EvaluatePRelu(const OpContext&, Inputs inputs) {
  return std::vector<Tensor>{inputs[0]->type == ElementType::kFloat32
                                 ? PReluOf<float>(*inputs[0], *inputs[1])
                                 : PReluOf<double>(*inputs[0], *inputs[1])};
}

}  // namespace espalier::ops
