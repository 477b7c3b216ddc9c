// Pad in constant mode; negative pads crop.
#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

constexpr int64_t kMaxPad = int64_t{1} << 30;

struct Padding {
  std::vector<int64_t> begin, end;  // per dimension
};

absl::StatusOr<Padding> ReadPadding(const OpContext& context, const Shape& shape) {
  const size_t rank = shape.size();
  std::vector<int64_t> pads, axes;
  if (context.opset() < 11) {
    ESPALIER_ASSIGN_OR_RETURN(pads, context.Ints("pads", {}));
  } else {
    ESPALIER_ASSIGN_OR_RETURN(pads, ConstantInts(context, 1, "pads"));
  }
  if (context.opset() >= 18 && context.HasInput(3)) {
    ESPALIER_ASSIGN_OR_RETURN(axes, ConstantInts(context, 3, "axes"));
  } else {
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  if (pads.size() != 2 * axes.size()) return context.Invalid("pads have the wrong length");
  Padding padding{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
  for (size_t i = 0; i < axes.size(); ++i) {
    ESPALIER_ASSIGN_OR_RETURN(const int64_t axis,
                              NormaliseAxis(context, axes[i], static_cast<int64_t>(rank)));
    const auto d = static_cast<size_t>(axis);
    padding.begin[d] = pads[i];
    padding.end[d] = pads[i + axes.size()];
    if (std::max(std::abs(padding.begin[d] / 2), std::abs(padding.end[d] / 2)) > kMaxPad) {
      return context.Invalid("pads are too large");
    }
    if (shape[d] + padding.begin[d] + padding.end[d] < 0)
      return context.Invalid("pads crop more than there is");
  }
  return padding;
}

}  // namespace

InferResult InferPad(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(const std::string mode, context.String("mode", "constant"));
  if (mode != "constant") return context.Unsupported(absl::StrCat("mode '", mode, "' is not supported"));
  ESPALIER_RETURN_IF_ERROR(context.Float("value", 0).status());
  if (context.opset() < 11 && context.input_count() > 1)
    return context.Invalid("pads as input need opset 11");
  if (context.opset() >= 11 && context.HasInput(2)) {
    if (context.Constant(2) == nullptr) return context.Unsupported("the padding value must be constant");
    if (context.Constant(2)->size() != 1) return context.Invalid("the padding value must be a scalar");
  }
  Shape shape = context.InputShape(0);
  ESPALIER_ASSIGN_OR_RETURN(const Padding padding, ReadPadding(context, shape));
  for (size_t d = 0; d < shape.size(); ++d) shape[d] += padding.begin[d] + padding.end[d];
  return std::vector<OutputInfo>{{context.InputType(0), std::move(shape)}};
}

EvaluateResult EvaluatePad(const OpContext& context, Inputs inputs) {
  const Shape& shape = inputs[0]->shape;
  ESPALIER_ASSIGN_OR_RETURN(const Padding padding, ReadPadding(context, shape));
  ESPALIER_ASSIGN_OR_RETURN(double fill, context.Float("value", 0));
  if (context.opset() >= 11) fill = inputs.size() > 2 && inputs[2] != nullptr ? inputs[2]->AsDouble(0) : 0;
  std::vector<std::vector<int64_t>> maps(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    for (int64_t i = -padding.begin[d]; i < shape[d] + padding.end[d]; ++i) {
      maps[d].push_back(i >= 0 && i < shape[d] ? i : -1);
    }
  }
  return std::vector<Tensor>{PickGrid(*inputs[0], maps, fill)};
}

}  // namespace espalier::ops
