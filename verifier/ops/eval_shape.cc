// Flatten, Reshape, Squeeze, Unsqueeze: the elements stay in order, only the shape changes.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

std::vector<OutputInfo> SameType(const OpContext& context, Shape shape) {
  return {{context.InputType(0), std::move(shape)}};
}

}  // namespace

InferResult InferFlatten(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  const auto rank = static_cast<int64_t>(shape.size());
  ESPALIER_ASSIGN_OR_RETURN(int64_t axis, context.Int("axis", 1));
  if (axis != rank) {
    ESPALIER_ASSIGN_OR_RETURN(axis, NormaliseAxis(context, axis, rank));
  }
  Shape flat = {1, 1};
  for (int64_t d = 0; d < rank; ++d) flat[d < axis ? 0 : 1] *= shape[static_cast<size_t>(d)];
  return SameType(context, std::move(flat));
}

InferResult InferReshape(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  ESPALIER_ASSIGN_OR_RETURN(Shape target, ConstantInts(context, 1, "the target shape"));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t allow_zero, context.Int("allowzero", 0));
  int64_t* open = nullptr;
  int64_t known = 1;
  for (size_t d = 0; d < target.size(); ++d) {
    if (target[d] == 0 && allow_zero == 0) {
      if (d >= shape.size())
        return context.Invalid("a target dimension 0 copies a dimension that does not exist");
      target[d] = shape[d];
    }
    if (target[d] == -1) {
      if (open != nullptr) return context.Invalid("two target dimensions are -1");
      open = &target[d];
    } else if (target[d] < 0) {
      return context.Invalid(absl::StrCat("target dimension ", target[d]));
    } else if (__builtin_mul_overflow(known, target[d], &known)) {
      return context.Invalid("the target shape is too large");
    }
  }
  const int64_t size = *ElementCount(shape);
  if (open != nullptr) *open = known == 0 ? 0 : size / known;
  if (ElementCount(target) != size) {
    return context.Invalid(absl::StrCat(ShapeToString(shape), " cannot become ", ShapeToString(target)));
  }
  return SameType(context, std::move(target));
}

InferResult InferSqueeze(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  const bool all = !context.HasInput(1) && !context.Has("axes");
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> axes,
                            ReadAxes(context, 1, static_cast<int64_t>(shape.size())));
  Shape squeezed;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool named = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    if (named && shape[d] != 1) return context.Invalid(absl::StrCat("dimension ", d, " is not 1"));
    if (!(named || (all && shape[d] == 1))) squeezed.push_back(shape[d]);
  }
  return SameType(context, std::move(squeezed));
}

InferResult InferUnsqueeze(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  if (!context.HasInput(1) && !context.Has("axes")) return context.Invalid("axes are missing");
  std::vector<int64_t> axes;
  if (context.HasInput(1)) {
    ESPALIER_ASSIGN_OR_RETURN(axes, ConstantInts(context, 1, "axes"));
  } else {
    ESPALIER_ASSIGN_OR_RETURN(axes, context.Ints("axes", {}));
  }
  if (axes.size() > 64) return context.Invalid("too many axes");
  ESPALIER_ASSIGN_OR_RETURN(axes, ReadAxes(context, 1, static_cast<int64_t>(shape.size() + axes.size())));
  Shape expanded;
  size_t next = 0;
  for (size_t d = 0; d < shape.size() + axes.size(); ++d) {
    const bool added = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    expanded.push_back(added ? 1 : shape[next++]);
  }
  return SameType(context, std::move(expanded));
}

EvaluateResult EvaluateReshaping(const OpContext& context, Inputs inputs) {
  const auto output = static_cast<size_t>(context.node().outputs[0]);
  return std::vector<Tensor>{Reshaped(*inputs[0], *context.graph().values[output].shape)};
}

}  // namespace espalier::ops
