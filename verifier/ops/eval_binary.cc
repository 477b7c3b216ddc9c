// Binary and n-ary operators with numpy broadcasting: arithmetic, power, comparison, logic.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

// combine(a_i, b_i) over the broadcast of a and b, as elements of type Out.
template <class In, class Out, class F>
std::vector<Out> Combine(const Tensor& a, const Tensor& b, const Shape& shape, F combine) {
  const auto& x = Elements<In>(a);
  const auto& y = Elements<In>(b);
  std::vector<Out> out(static_cast<size_t>(*ElementCount(shape)));
  if (a.shape == shape && b.shape == shape) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = combine(x[i], y[i]);
    return out;
  }
  ForEachBroadcast<2>(shape, {BroadcastStrides(a.shape, shape), BroadcastStrides(b.shape, shape)},
                      [&](size_t i, const std::array<int64_t, 2>& at) {
                        out[i] = combine(x[static_cast<size_t>(at[0])], y[static_cast<size_t>(at[1])]);
                      });
  return out;
}

// Floating-point arithmetic; Max and Min propagate NaN as ONNX Runtime does.
template <class T>
T FloatArithmetic(char op, T a, T b) {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '>':
      return std::isnan(a) || a > b ? a : b;
    default:
      return std::isnan(a) || a < b ? a : b;
  }
}

// Integer arithmetic wraps around; a division by zero was refused before.
int64_t IntArithmetic(char op, int64_t a, int64_t b) {
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  switch (op) {
    case '+':
      return static_cast<int64_t>(ua + ub);
    case '-':
      return static_cast<int64_t>(ua - ub);
    case '*':
      return static_cast<int64_t>(ua * ub);
    case '/':
      return b == -1 ? static_cast<int64_t>(0 - ua) : a / b;
    case '>':
      return a > b ? a : b;
    default:
      return a < b ? a : b;
  }
}

char ArithmeticSign(const std::string& op) {
  if (op == "Add" || op == "Sum") return '+';
  if (op == "Sub") return '-';
  if (op == "Mul") return '*';
  if (op == "Div") return '/';
  return op == "Max" ? '>' : '<';
}

template <char kOp>
absl::StatusOr<Tensor> ArithmeticOf(const OpContext& context, const Tensor& a, const Tensor& b) {
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(context, a.shape, b.shape));
  Tensor out;
  out.type = a.type;
  if (a.type == ElementType::kFloat32) {
    out.data =
        Combine<float, float>(a, b, shape, [](float x, float y) { return FloatArithmetic(kOp, x, y); });
  } else if (a.type == ElementType::kFloat64) {
    out.data =
        Combine<double, double>(a, b, shape, [](double x, double y) { return FloatArithmetic(kOp, x, y); });
  } else {
    if (kOp == '/') {
      for (int64_t divisor : Elements<int64_t>(b)) {
        if (divisor == 0) return context.Invalid("integer division by zero");
      }
    }
    const bool narrow = a.type == ElementType::kInt32;
    out.data = Combine<int64_t, int64_t>(a, b, shape, [narrow](int64_t x, int64_t y) {
      const int64_t value = IntArithmetic(kOp, x, y);
      return narrow ? static_cast<int64_t>(static_cast<int32_t>(value)) : value;
    });
  }
  out.shape = std::move(shape);
  return out;
}

absl::StatusOr<Tensor> Arithmetic(const OpContext& context, const Tensor& a, const Tensor& b) {
  switch (ArithmeticSign(context.node().op)) {
    case '+':
      return ArithmeticOf<'+'>(context, a, b);
    case '-':
      return ArithmeticOf<'-'>(context, a, b);
    case '*':
      return ArithmeticOf<'*'>(context, a, b);
    case '/':
      return ArithmeticOf<'/'>(context, a, b);
    case '>':
      return ArithmeticOf<'>'>(context, a, b);
    default:
      return ArithmeticOf<'<'>(context, a, b);
  }
}

template <class T>
uint8_t Compare(const std::string& op, T a, T b) {
  if (op == "Equal") return a == b;
  if (op == "Greater") return a > b;
  if (op == "GreaterOrEqual") return a >= b;
  if (op == "Less") return a < b;
  return a <= b;
}

template <class T>
Tensor CompareAll(const std::string& op, const Tensor& a, const Tensor& b, const Shape& shape) {
  return Tensor::FromBools(
      shape, Combine<T, uint8_t>(a, b, shape, [&op](T x, T y) { return Compare<T>(op, x, y); }));
}

}  // namespace

InferResult InferArithmetic(const OpContext& context) {
  const ElementType type = context.InputType(0);
  if (!IsInteger(type)) {
    ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  }
  for (int i = 1; i < context.input_count(); ++i) {
    if (context.HasInput(i) && context.InputType(i) != type)
      return context.Invalid("element types of inputs differ");
  }
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastInputs(context));
  return std::vector<OutputInfo>{{type, std::move(shape)}};
}

EvaluateResult EvaluateArithmetic(const OpContext& context, Inputs inputs) {
  Tensor result = *inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i) {
    ESPALIER_ASSIGN_OR_RETURN(result, Arithmetic(context, result, *inputs[i]));
  }
  return std::vector<Tensor>{std::move(result)};
}

InferResult InferPow(const OpContext& context) {
  const ElementType base = context.InputType(0), exponent = context.InputType(1);
  if ((!IsFloat(base) && !IsInteger(base)) || (!IsFloat(exponent) && !IsInteger(exponent))) {
    return context.Unsupported("this element type is not supported");
  }
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastInputs(context));
  return std::vector<OutputInfo>{{base, std::move(shape)}};
}

EvaluateResult EvaluatePow(const OpContext& context, Inputs inputs) {
  const Tensor& base = *inputs[0];
  const Tensor wide_base = Tensor::FromDoubles(base.shape, base.ToDoubles());
  const Tensor wide_exponent = Tensor::FromDoubles(inputs[1]->shape, inputs[1]->ToDoubles());
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(context, base.shape, inputs[1]->shape));
  std::vector<double> power = Combine<double, double>(wide_base, wide_exponent, shape,
                                                      [](double x, double y) { return std::pow(x, y); });
  Tensor out = Tensor::FromDoubles(std::move(shape), {});
  out.type = base.type;
  if (base.type == ElementType::kFloat64) {
    out.data = std::move(power);
  } else if (base.type == ElementType::kFloat32) {
    std::vector<float> narrow(power.size());
    for (size_t i = 0; i < power.size(); ++i) narrow[i] = static_cast<float>(power[i]);
    out.data = std::move(narrow);
  } else {
    std::vector<int64_t> whole(power.size());
    for (size_t i = 0; i < power.size(); ++i) whole[i] = SaturateToInt(power[i]);
    out.data = std::move(whole);
  }
  return std::vector<Tensor>{std::move(out)};
}

InferResult InferCompare(const OpContext& context) {
  const ElementType type = context.InputType(0);
  if (context.InputType(1) != type) return context.Invalid("element types of inputs differ");
  if (type == ElementType::kOther) return context.Unsupported("this element type is not supported");
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastInputs(context));
  return std::vector<OutputInfo>{{ElementType::kBool, std::move(shape)}};
}

EvaluateResult EvaluateCompare(const OpContext& context, Inputs inputs) {
  const Tensor &a = *inputs[0], &b = *inputs[1];
  ESPALIER_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(context, a.shape, b.shape));
  const std::string& op = context.node().op;
  switch (a.type) {
    case ElementType::kFloat32:
      return std::vector<Tensor>{CompareAll<float>(op, a, b, shape)};
    case ElementType::kFloat64:
      return std::vector<Tensor>{CompareAll<double>(op, a, b, shape)};
    case ElementType::kBool:
      return std::vector<Tensor>{CompareAll<uint8_t>(op, a, b, shape)};
    default:
      return std::vector<Tensor>{CompareAll<int64_t>(op, a, b, shape)};
  }
}

InferResult InferLogical(const OpContext& context) {
  if (context.InputType(0) != ElementType::kBool || context.InputType(1) != ElementType::kBool) {
    return context.Invalid("inputs must be bool");
  }
  return InferCompare(context);
}

EvaluateResult EvaluateLogical(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(context, inputs[0]->shape, inputs[1]->shape));
  const bool conjunction = context.node().op == "And";
  std::vector<uint8_t> out =
      Combine<uint8_t, uint8_t>(*inputs[0], *inputs[1], shape, [conjunction](uint8_t x, uint8_t y) {
        return static_cast<uint8_t>(conjunction ? (x != 0 && y != 0) : (x != 0 || y != 0));
      });
  return std::vector<Tensor>{Tensor::FromBools(shape, std::move(out))};
}

}  // namespace espalier::ops
