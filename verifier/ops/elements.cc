#include "verifier/ops/elements.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"

namespace espalier::ops {

std::vector<int64_t> RowMajorStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

std::vector<int64_t> BroadcastStrides(const Shape& shape, const Shape& target) {
  const std::vector<int64_t> own = RowMajorStrides(shape);
  std::vector<int64_t> strides(target.size(), 0);
  const size_t lead = target.size() - shape.size();
  for (size_t d = 0; d < shape.size(); ++d) strides[lead + d] = shape[d] == 1 ? 0 : own[d];
  return strides;
}

absl::StatusOr<Shape> BroadcastShapes(const OpContext& context, const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const size_t lead = longer.size() - shorter.size();
  for (size_t d = 0; d < shorter.size(); ++d) {
    int64_t& extent = result[lead + d];
    if (extent == 1) {
      extent = shorter[d];
    } else if (shorter[d] != 1 && shorter[d] != extent) {
      return context.Invalid(
          absl::StrCat("shapes ", ShapeToString(a), " and ", ShapeToString(b), " do not match"));
    }
  }
  return result;
}

absl::StatusOr<Shape> BroadcastInputs(const OpContext& context) {
  Shape shape;
  for (int i = 0; i < context.input_count(); ++i) {
    if (!context.HasInput(i)) return context.Invalid(absl::StrCat("input ", i, " is missing"));
    ESPALIER_ASSIGN_OR_RETURN(shape, BroadcastShapes(context, shape, context.InputShape(i)));
  }
  return shape;
}

absl::StatusOr<int64_t> NormaliseAxis(const OpContext& context, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    return context.Invalid(absl::StrCat("axis ", axis, " is outside a tensor of rank ", rank));
  }
  return axis < 0 ? axis + rank : axis;
}

absl::StatusOr<std::vector<int64_t>> ReadAxes(const OpContext& context, int input, int64_t rank) {
  std::vector<int64_t> axes;
  if (context.HasInput(input)) {
    ESPALIER_ASSIGN_OR_RETURN(axes, ConstantInts(context, input, "axes"));
  } else {
    ESPALIER_ASSIGN_OR_RETURN(axes, context.Ints("axes", {}));
  }
  for (int64_t& axis : axes) {
    ESPALIER_ASSIGN_OR_RETURN(axis, NormaliseAxis(context, axis, rank));
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    return context.Invalid("an axis occurs twice");
  return axes;
}

absl::StatusOr<std::vector<int64_t>> ConstantInts(const OpContext& context, int i, const char* what) {
  const Tensor* tensor = context.Constant(i);
  if (tensor == nullptr) return context.Unsupported(absl::StrCat(what, " must be constant"));
  if (!IsInteger(tensor->type)) return context.Invalid(absl::StrCat(what, " must be integers"));
  return Elements<int64_t>(*tensor);
}

absl::Status RequireFloat(const OpContext& context, int first) {
  const ElementType type = context.InputType(first);
  if (!IsFloat(type)) {
    return context.Unsupported(
        absl::StrCat("element type ", ElementTypeName(type), " is not supported here"));
  }
  for (int i = first; i < context.input_count(); ++i) {
    if (context.HasInput(i) && context.InputType(i) != type)
      return context.Invalid("element types of inputs differ");
  }
  return absl::OkStatus();
}

Tensor Reshaped(const Tensor& source, Shape shape) {
  Tensor result = source;
  result.shape = std::move(shape);
  return result;
}

Tensor PickGrid(const Tensor& source, const std::vector<std::vector<int64_t>>& maps, double fill) {
  const std::vector<int64_t> strides = RowMajorStrides(source.shape);
  Tensor result;
  result.type = source.type;
  std::vector<int64_t> offsets = {0};  // of all positions of the dimensions so far; -1: filled
  for (size_t d = 0; d < maps.size(); ++d) {
    result.shape.push_back(static_cast<int64_t>(maps[d].size()));
    std::vector<int64_t> next;
    next.reserve(offsets.size() * maps[d].size());
    for (int64_t offset : offsets) {
      for (int64_t i : maps[d]) next.push_back(offset < 0 || i < 0 ? -1 : offset + i * strides[d]);
    }
    offsets = std::move(next);
  }
  std::visit(
      [&](const auto& elements) {
        using T = typename std::decay_t<decltype(elements)>::value_type;
        std::vector<T> picked(offsets.size());
        for (size_t i = 0; i < offsets.size(); ++i) {
          picked[i] = offsets[i] < 0 ? static_cast<T>(fill) : elements[static_cast<size_t>(offsets[i])];
        }
        result.data = std::move(picked);
      },
      source.data);
  return result;
}

Tensor PickStrided(const Tensor& source, Shape shape, const std::vector<int64_t>& strides) {
  Tensor result;
  result.type = source.type;
  std::visit(
      [&](const auto& elements) {
        using T = typename std::decay_t<decltype(elements)>::value_type;
        std::vector<T> picked(static_cast<size_t>(*ElementCount(shape)));
        ForEachBroadcast<1>(shape, {strides}, [&](size_t i, const std::array<int64_t, 1>& at) {
          picked[i] = elements[static_cast<size_t>(at[0])];
        });
        result.data = std::move(picked);
      },
      source.data);
  result.shape = std::move(shape);
  return result;
}

}  // namespace espalier::ops
