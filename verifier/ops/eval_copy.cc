// Operators that pass their input on: Identity, Dropout in inference mode, Cast.
#include <limits>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

// ONNX's numbers of the element types that a Cast may produce.
absl::StatusOr<ElementType> CastTarget(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(const int64_t to, context.Int("to", 0));
  switch (to) {
    case 1:
      return ElementType::kFloat32;
    case 6:
      return ElementType::kInt32;
    case 7:
      return ElementType::kInt64;
    case 9:
      return ElementType::kBool;
    case 11:
      return ElementType::kFloat64;
    default:
      return context.Unsupported(absl::StrCat("a cast to ONNX element type ", to, " is not supported"));
  }
}

// Truncates towards zero; false when a value has no integer of the target type.
bool CastToInts(const Tensor& source, bool narrow, std::vector<int64_t>& out) {
  if (!IsFloat(source.type)) {
    out = source.ToInts();
    for (int64_t& value : out) value = narrow ? static_cast<int64_t>(static_cast<int32_t>(value)) : value;
    return true;
  }
  const double low = narrow ? -2147483649.0 : -9223372036854775808.0;
  const double high = narrow ? 2147483648.0 : 9223372036854775808.0;
  for (double value : source.ToDoubles()) {
    if (!(value > low || (value == low && !narrow)) || !(value < high)) return false;
    out.push_back(static_cast<int64_t>(value));
  }
  return true;
}

}  // namespace

InferResult InferIdentity(const OpContext& context) {
  return std::vector<OutputInfo>{{context.InputType(0), context.InputShape(0)}};
}

EvaluateResult EvaluateIdentity(const OpContext&, Inputs inputs) {
  return std::vector<Tensor>{*inputs[0]};
}

InferResult InferDropout(const OpContext& context) {
  if (context.HasInput(2)) {
    const Tensor* training = context.Constant(2);
    if (training == nullptr) return context.Unsupported("training_mode must be constant");
    if (training->size() != 1) return context.Invalid("training_mode must be a scalar");
    if (training->AsInt(0) != 0) return context.Unsupported("training mode is not supported");
  }
  std::vector<OutputInfo> outputs = {{context.InputType(0), context.InputShape(0)}};
  if (context.node().outputs.size() > 1) {
    // Before opset 10 the mask has the input's element type.
    outputs.push_back(
        {context.opset() < 10 ? context.InputType(0) : ElementType::kBool, context.InputShape(0)});
  }
  return outputs;
}

EvaluateResult EvaluateDropout(const OpContext& context, Inputs inputs) {
  std::vector<Tensor> outputs = {*inputs[0]};
  if (context.node().outputs.size() > 1) {
    const auto size = static_cast<size_t>(inputs[0]->size());
    Tensor mask = Tensor::FromBools(inputs[0]->shape, std::vector<uint8_t>(size, 1));
    if (context.opset() < 10) {
      mask = *inputs[0];
      std::visit([](auto& values) { std::fill(values.begin(), values.end(), 1); }, mask.data);
    }
    outputs.push_back(std::move(mask));
  }
  return outputs;
}

InferResult InferCast(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(const ElementType target, CastTarget(context));
  return std::vector<OutputInfo>{{target, context.InputShape(0)}};
}

EvaluateResult EvaluateCast(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(ElementType target, CastTarget(context));
  if (context.widened() && target == ElementType::kFloat32) target = ElementType::kFloat64;
  const Tensor& x = *inputs[0];
  Tensor out{target, x.shape, {}};
  if (target == x.type) {
    out.data = x.data;
  } else if (target == ElementType::kFloat64) {
    out.data = x.ToDoubles();
  } else if (target == ElementType::kFloat32) {
    std::vector<float> values;
    for (double value : x.ToDoubles()) values.push_back(static_cast<float>(value));
    out.data = std::move(values);
  } else if (target == ElementType::kBool) {
    std::vector<uint8_t> values;
    for (double value : x.ToDoubles()) values.push_back(value != 0);
    out.data = std::move(values);
  } else {
    std::vector<int64_t> values;
    if (!CastToInts(x, target == ElementType::kInt32, values)) {
      return context.Invalid("a value does not fit the integer type it is cast to");
    }
    out.data = std::move(values);
  }
  return std::vector<Tensor>{std::move(out)};
}

}  // namespace espalier::ops
