// Slice (attribute and input form, negative steps) and Gather with constant indices.
#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

using IndexMaps = std::vector<std::vector<int64_t>>;

// A parameter of Slice: input i from opset 10 on, before that an attribute.
absl::StatusOr<std::vector<int64_t>> SliceParameter(const OpContext& context, int i, const char* name) {
  if (context.opset() < 10) return context.Ints(name, {});
  if (!context.HasInput(i)) return std::vector<int64_t>{};
  return ConstantInts(context, i, name);
}

// The positions that start:end:step selects in [0, extent), with Python's rules.
std::vector<int64_t> Selected(int64_t start, int64_t end, int64_t step, int64_t extent) {
  step = std::clamp(step, -extent - 1, extent + 1);
  if (start < 0) start += extent;
  if (end < 0) end += extent;
  std::vector<int64_t> positions;
  if (step > 0) {
    for (int64_t i = std::clamp<int64_t>(start, 0, extent); i < std::min(end, extent); i += step)
      positions.push_back(i);
  } else {
    const int64_t last = std::max<int64_t>(end, -1);
    for (int64_t i = std::clamp<int64_t>(start, -1, extent - 1); i > last; i += step) positions.push_back(i);
  }
  return positions;
}

absl::StatusOr<IndexMaps> SliceMaps(const OpContext& context, const Shape& shape) {
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> starts, SliceParameter(context, 1, "starts"));
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int64_t> ends, SliceParameter(context, 2, "ends"));
  ESPALIER_ASSIGN_OR_RETURN(std::vector<int64_t> axes, SliceParameter(context, 3, "axes"));
  std::vector<int64_t> steps;
  if (context.opset() >= 10) {
    ESPALIER_ASSIGN_OR_RETURN(steps, SliceParameter(context, 4, "steps"));
  }
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return context.Invalid("starts, ends, axes and steps differ in length");
  }
  IndexMaps maps(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) maps[d] = Selected(0, shape[d], 1, shape[d]);
  std::vector<bool> seen(shape.size(), false);
  for (size_t i = 0; i < starts.size(); ++i) {
    ESPALIER_ASSIGN_OR_RETURN(const int64_t axis,
                              NormaliseAxis(context, axes[i], static_cast<int64_t>(shape.size())));
    const auto d = static_cast<size_t>(axis);
    if (steps[i] == 0) return context.Invalid("a step is 0");
    if (seen[d]) return context.Invalid("an axis occurs twice");
    seen[d] = true;
    maps[d] = Selected(starts[i], ends[i], steps[i], shape[d]);
  }
  return maps;
}

Shape GridShape(const IndexMaps& maps) {
  Shape shape;
  for (const auto& map : maps) shape.push_back(static_cast<int64_t>(map.size()));
  return shape;
}

// The gathered axis and its indices, made non-negative.
struct GatherIndices {
  size_t axis = 0;
  std::vector<int64_t> positions;
};

absl::StatusOr<GatherIndices> ReadGather(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  GatherIndices gather;
  ESPALIER_ASSIGN_OR_RETURN(int64_t axis, context.Int("axis", 0));
  ESPALIER_ASSIGN_OR_RETURN(axis, NormaliseAxis(context, axis, static_cast<int64_t>(shape.size())));
  gather.axis = static_cast<size_t>(axis);
  ESPALIER_ASSIGN_OR_RETURN(gather.positions, ConstantInts(context, 1, "indices"));
  for (int64_t& position : gather.positions) {
    ESPALIER_ASSIGN_OR_RETURN(position, NormaliseAxis(context, position, shape[gather.axis]));
  }
  return gather;
}

}  // namespace

InferResult InferSlice(const OpContext& context) {
  if (context.opset() < 10 && context.input_count() > 1)
    return context.Invalid("starts as input need opset 10");
  ESPALIER_ASSIGN_OR_RETURN(const IndexMaps maps, SliceMaps(context, context.InputShape(0)));
  return std::vector<OutputInfo>{{context.InputType(0), GridShape(maps)}};
}

EvaluateResult EvaluateSlice(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const IndexMaps maps, SliceMaps(context, inputs[0]->shape));
  return std::vector<Tensor>{PickGrid(*inputs[0], maps)};
}

InferResult InferGather(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(const GatherIndices gather, ReadGather(context));
  Shape shape = context.InputShape(0);
  const Shape& indices = context.InputShape(1);
  const auto at = shape.erase(shape.begin() + static_cast<int64_t>(gather.axis));
  shape.insert(at, indices.begin(), indices.end());
  return std::vector<OutputInfo>{{context.InputType(0), std::move(shape)}};
}

EvaluateResult EvaluateGather(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(GatherIndices gather, ReadGather(context));
  const Shape& shape = inputs[0]->shape;
  IndexMaps maps(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) maps[d] = Selected(0, shape[d], 1, shape[d]);
  maps[gather.axis] = std::move(gather.positions);
  const auto output = static_cast<size_t>(context.node().outputs[0]);
  return std::vector<Tensor>{Reshaped(PickGrid(*inputs[0], maps), *context.graph().values[output].shape)};
}

}  // namespace espalier::ops
