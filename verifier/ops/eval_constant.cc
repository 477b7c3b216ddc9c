// Shape, Size, Constant, ConstantOfShape, Range: known before any input is, so Prepare folds all of them.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

constexpr int64_t kMaxRange = int64_t{1} << 24;

// The value of a Constant node in whichever attribute it stands.
absl::StatusOr<Tensor> ConstantValue(const OpContext& context) {
  const auto& attributes = context.node().attributes;
  if (attributes.size() != 1) return context.Invalid("exactly one value attribute is needed");
  const auto& [name, attribute] = *attributes.begin();
  if (const auto* tensor = std::get_if<Tensor>(&attribute); tensor != nullptr && name == "value")
    return *tensor;
  if (const auto* one = std::get_if<int64_t>(&attribute); one != nullptr && name == "value_int") {
    return Tensor::FromInts({}, {*one});
  }
  if (const auto* one = std::get_if<double>(&attribute); one != nullptr && name == "value_float") {
    return Tensor::FromFloats({}, {static_cast<float>(*one)});
  }
  if (const auto* list = std::get_if<std::vector<int64_t>>(&attribute);
      list != nullptr && name == "value_ints") {
    return Tensor::FromInts({static_cast<int64_t>(list->size())}, *list);
  }
  if (const auto* list = std::get_if<std::vector<double>>(&attribute);
      list != nullptr && name == "value_floats") {
    std::vector<float> values;
    for (double value : *list) values.push_back(static_cast<float>(value));
    const auto size = static_cast<int64_t>(values.size());
    return Tensor::FromFloats({size}, std::move(values));
  }
  return context.Unsupported(absl::StrCat("attribute '", name, "' is not supported"));
}

// The one-element tensor a ConstantOfShape repeats.
absl::StatusOr<Tensor> FillValue(const OpContext& context) {
  const auto it = context.node().attributes.find("value");
  if (it == context.node().attributes.end()) return Tensor::FromFloats({1}, {0.0F});
  const Tensor* value = std::get_if<Tensor>(&it->second);
  if (value == nullptr || value->size() != 1)
    return context.Invalid("attribute 'value' must be a one-element tensor");
  return *value;
}

absl::StatusOr<int64_t> RangeLength(const OpContext& context) {
  double ends[3];
  for (int i = 0; i < 3; ++i) {
    const Tensor* tensor = context.Constant(i);
    if (tensor == nullptr) return context.Unsupported("start, limit and delta must be constant");
    if (tensor->size() != 1) return context.Invalid("start, limit and delta must be scalars");
    ends[i] = tensor->AsDouble(0);
  }
  const double length = std::ceil((ends[1] - ends[0]) / ends[2]);
  if (!std::isfinite(length)) return context.Invalid("the range is not finite");
  if (length > static_cast<double>(kMaxRange)) return context.Unsupported("the range is too long");
  return length > 0 ? static_cast<int64_t>(length) : 0;
}

}  // namespace

InferResult InferShape(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(EvaluateShape(context, {}).status());
  const auto outputs = EvaluateShape(context, {});
  return std::vector<OutputInfo>{{ElementType::kInt64, outputs->front().shape}};
}

EvaluateResult EvaluateShape(const OpContext& context, Inputs) {
  const Shape& shape = context.InputShape(0);
  const auto rank = static_cast<int64_t>(shape.size());
  ESPALIER_ASSIGN_OR_RETURN(int64_t start, context.Int("start", 0));
  ESPALIER_ASSIGN_OR_RETURN(int64_t end, context.Int("end", rank));
  start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
  end = std::clamp<int64_t>(end < 0 ? end + rank : end, start, rank);
  return std::vector<Tensor>{
      Tensor::FromInts({end - start}, Shape(shape.begin() + start, shape.begin() + end))};
}

InferResult InferSize(const OpContext&) {
  return std::vector<OutputInfo>{{ElementType::kInt64, {}}};
}

EvaluateResult EvaluateSize(const OpContext& context, Inputs) {
  return std::vector<Tensor>{Tensor::FromInts({}, {*ElementCount(context.InputShape(0))})};
}

InferResult InferConstant(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(const Tensor value, ConstantValue(context));
  return std::vector<OutputInfo>{{value.type, value.shape}};
}

EvaluateResult EvaluateConstant(const OpContext& context, Inputs) {
  ESPALIER_ASSIGN_OR_RETURN(Tensor value, ConstantValue(context));
  return std::vector<Tensor>{std::move(value)};
}

InferResult InferConstantOfShape(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, ConstantInts(context, 0, "the shape"));
  ESPALIER_ASSIGN_OR_RETURN(const Tensor fill, FillValue(context));
  if (!ElementCount(shape).has_value()) return context.Invalid("the shape is negative or too large");
  return std::vector<OutputInfo>{{fill.type, std::move(shape)}};
}

EvaluateResult EvaluateConstantOfShape(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const Tensor fill, FillValue(context));
  const Shape shape = inputs[0]->ToInts();
  return std::vector<Tensor>{PickStrided(fill, shape, std::vector<int64_t>(shape.size(), 0))};
}

InferResult InferRange(const OpContext& context) {
  const ElementType type = context.InputType(0);
  if (!IsInteger(type)) {
    ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  }
  ESPALIER_ASSIGN_OR_RETURN(const int64_t length, RangeLength(context));
  return std::vector<OutputInfo>{{type, {length}}};
}

EvaluateResult EvaluateRange(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const int64_t length, RangeLength(context));
  Tensor out = PickStrided(*inputs[0], {length}, {0});
  std::visit(
      [&](auto& values) {
        using T = typename std::decay_t<decltype(values)>::value_type;
        for (size_t i = 0; i < values.size(); ++i) {
          if constexpr (std::is_floating_point_v<T>) {
            values[i] += static_cast<T>(i) * static_cast<T>(inputs[2]->AsDouble(0));
          } else {
            values[i] = static_cast<T>(static_cast<uint64_t>(values[i]) +
                                       i * static_cast<uint64_t>(inputs[2]->AsInt(0)));
          }
        }
      },
      out.data);
  return std::vector<Tensor>{std::move(out)};
}

}  // namespace espalier::ops
