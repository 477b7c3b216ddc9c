// Transpose, Concat, Split, Expand.
#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

absl::StatusOr<std::vector<int64_t>> ReadPermutation(const OpContext& context, size_t rank) {
  std::vector<int64_t> reversed(rank);
  for (size_t d = 0; d < rank; ++d) reversed[d] = static_cast<int64_t>(rank - 1 - d);
  ESPALIER_ASSIGN_OR_RETURN(std::vector<int64_t> permutation, context.Ints("perm", reversed));
  std::vector<int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  std::reverse(reversed.begin(), reversed.end());
  if (sorted != reversed) return context.Invalid("attribute 'perm' is no permutation of the dimensions");
  return permutation;
}

// Where along `axis` each output of a Split begins and ends.
absl::StatusOr<std::vector<int64_t>> SplitSizes(const OpContext& context, int64_t extent) {
  const auto count = static_cast<int64_t>(context.node().outputs.size());
  std::vector<int64_t> sizes;
  if (context.HasInput(1)) {
    ESPALIER_ASSIGN_OR_RETURN(sizes, ConstantInts(context, 1, "split sizes"));
  } else if (context.Has("split")) {
    ESPALIER_ASSIGN_OR_RETURN(sizes, context.Ints("split", {}));
  } else {
    // Equal parts; the last one is smaller where opset 18 allows it.
    if (context.opset() < 18 && extent % count != 0)
      return context.Invalid("the extent does not split evenly");
    const int64_t part = (extent + count - 1) / count;
    for (int64_t i = 0; i < count; ++i) sizes.push_back(std::clamp<int64_t>(extent - i * part, 0, part));
  }
  int64_t sum = 0;
  for (int64_t size : sizes) {
    if (size < 0 || size > extent) return context.Invalid("a split size is out of range");
    sum += size;
  }
  if (static_cast<int64_t>(sizes.size()) != count || sum != extent) {
    return context.Invalid("split sizes do not match the outputs");
  }
  return sizes;
}

absl::StatusOr<size_t> ReadAxis(const OpContext& context, const Shape& shape) {
  ESPALIER_ASSIGN_OR_RETURN(int64_t axis, context.Int("axis", 0));
  ESPALIER_ASSIGN_OR_RETURN(axis, NormaliseAxis(context, axis, static_cast<int64_t>(shape.size())));
  return static_cast<size_t>(axis);
}

template <class T>
std::vector<T> ConcatElements(Inputs inputs, size_t axis) {
  std::vector<T> out;
  int64_t outer = 1;
  for (size_t d = 0; d < axis; ++d) outer *= inputs[0]->shape[d];
  for (int64_t o = 0; o < outer; ++o) {
    for (const Tensor* input : inputs) {
      const auto& elements = Elements<T>(*input);
      const int64_t block = static_cast<int64_t>(elements.size()) / outer;
      out.insert(out.end(), elements.begin() + o * block, elements.begin() + (o + 1) * block);
    }
  }
  return out;
}

}  // namespace

InferResult InferTranspose(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> permutation, ReadPermutation(context, shape.size()));
  Shape out;
  for (int64_t d : permutation) out.push_back(shape[static_cast<size_t>(d)]);
  return std::vector<OutputInfo>{{context.InputType(0), std::move(out)}};
}

EvaluateResult EvaluateTranspose(const OpContext& context, Inputs inputs) {
  const Shape& shape = inputs[0]->shape;
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> permutation, ReadPermutation(context, shape.size()));
  const std::vector<int64_t> own = RowMajorStrides(shape);
  Shape out;
  std::vector<int64_t> strides;
  for (int64_t d : permutation) {
    out.push_back(shape[static_cast<size_t>(d)]);
    strides.push_back(own[static_cast<size_t>(d)]);
  }
  return std::vector<Tensor>{PickStrided(*inputs[0], std::move(out), strides)};
}

InferResult InferConcat(const OpContext& context) {
  Shape shape;
  size_t axis = 0;
  for (int i = 0; i < context.input_count(); ++i) {
    if (!context.HasInput(i)) return context.Invalid("an input is missing");
    if (context.InputType(i) != context.InputType(0))
      return context.Invalid("element types of inputs differ");
    Shape other = context.InputShape(i);
    if (i == 0) {
      shape = other;
      ESPALIER_ASSIGN_OR_RETURN(axis, ReadAxis(context, shape));
      continue;
    }
    if (other.size() != shape.size()) return context.Invalid("ranks of inputs differ");
    if (__builtin_add_overflow(shape[axis], other[axis], &shape[axis])) return context.Invalid("too large");
    other[axis] = shape[axis];
    if (other != shape) return context.Invalid("shapes of inputs differ outside the axis");
  }
  return std::vector<OutputInfo>{{context.InputType(0), std::move(shape)}};
}

EvaluateResult EvaluateConcat(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const size_t axis, ReadAxis(context, inputs[0]->shape));
  Tensor out{inputs[0]->type, inputs[0]->shape, {}};
  for (size_t i = 1; i < inputs.size(); ++i) out.shape[axis] += inputs[i]->shape[axis];
  if (*ElementCount(out.shape) == 0)
    return std::vector<Tensor>{PickStrided(*inputs[0], out.shape, out.shape)};
  std::visit(
      [&](const auto& elements) {
        using T = typename std::decay_t<decltype(elements)>::value_type;
        out.data = ConcatElements<T>(inputs, axis);
      },
      inputs[0]->data);
  return std::vector<Tensor>{std::move(out)};
}

InferResult InferSplit(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  ESPALIER_ASSIGN_OR_RETURN(const size_t axis, ReadAxis(context, shape));
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SplitSizes(context, shape[axis]));
  std::vector<OutputInfo> outputs;
  for (int64_t size : sizes) {
    outputs.push_back({context.InputType(0), shape});
    outputs.back().shape[axis] = size;
  }
  return outputs;
}

EvaluateResult EvaluateSplit(const OpContext& context, Inputs inputs) {
  const Shape& shape = inputs[0]->shape;
  ESPALIER_ASSIGN_OR_RETURN(const size_t axis, ReadAxis(context, shape));
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SplitSizes(context, shape[axis]));
  std::vector<std::vector<int64_t>> maps(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    maps[d].resize(static_cast<size_t>(shape[d]));
    std::iota(maps[d].begin(), maps[d].end(), 0);
  }
  std::vector<Tensor> outputs;
  int64_t begin = 0;
  for (int64_t size : sizes) {
    maps[axis].resize(static_cast<size_t>(size));
    std::iota(maps[axis].begin(), maps[axis].end(), begin);
    outputs.push_back(PickGrid(*inputs[0], maps));
    begin += size;
  }
  return outputs;
}

InferResult InferExpand(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(const Shape target, ConstantInts(context, 1, "the target shape"));
  if (!ElementCount(target).has_value()) return context.Invalid("the target shape is negative or too large");
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(context, context.InputShape(0), target));
  return std::vector<OutputInfo>{{context.InputType(0), std::move(shape)}};
}

EvaluateResult EvaluateExpand(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(context, inputs[0]->shape, inputs[1]->ToInts()));
  std::vector<int64_t> strides = BroadcastStrides(inputs[0]->shape, shape);
  return std::vector<Tensor>{PickStrided(*inputs[0], std::move(shape), strides)};
}

}  // namespace espalier::ops
