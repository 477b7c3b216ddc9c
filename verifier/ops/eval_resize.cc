// Resize and Upsample in nearest mode: every output element is a copy of the input element its coordinate
// rounds to. Coordinates are computed in float32, as ONNX Runtime does, so that ties fall on the same side.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"

namespace espalier::ops {
namespace {

constexpr double kMaxExtent = 1 << 30;

struct ResizeDimension {
  float scale = 1;
  int64_t output = 0;
};

struct ResizeModes {
  std::string coordinate = "asymmetric";
  std::string rounding = "floor";
};

absl::StatusOr<ResizeModes> ReadModes(const OpContext& context) {
  ResizeModes modes;
  ESPALIER_ASSIGN_OR_RETURN(const std::string mode, context.String("mode", "nearest"));
  if (mode != "nearest") return context.Unsupported(absl::StrCat("mode '", mode, "' is not supported"));
  if (context.opset() < 11 || context.node().op == "Upsample") return modes;
  ESPALIER_ASSIGN_OR_RETURN(modes.coordinate, context.String("coordinate_transformation_mode", "half_pixel"));
  ESPALIER_ASSIGN_OR_RETURN(modes.rounding, context.String("nearest_mode", "round_prefer_floor"));
  const char* const coordinates[] = {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners",
                                     "tf_half_pixel_for_nn"};
  if (std::find(std::begin(coordinates), std::end(coordinates), modes.coordinate) == std::end(coordinates)) {
    return context.Unsupported(
        absl::StrCat("coordinate_transformation_mode '", modes.coordinate, "' is not supported"));
  }
  const char* const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  if (std::find(std::begin(roundings), std::end(roundings), modes.rounding) == std::end(roundings)) {
    return context.Invalid(absl::StrCat("unknown nearest_mode '", modes.rounding, "'"));
  }
  ESPALIER_ASSIGN_OR_RETURN(const std::string policy, context.String("keep_aspect_ratio_policy", "stretch"));
  if (policy != "stretch") return context.Unsupported(absl::StrCat("policy '", policy, "' is not supported"));
  return modes;
}

// The constant scales of the node in whichever form; empty when it gives sizes instead.
absl::StatusOr<std::vector<double>> ReadScales(const OpContext& context) {
  int input = 1;
  if (context.node().op == "Upsample" && context.opset() < 9) {
    const auto it = context.node().attributes.find("scales");
    const auto* scales =
        it == context.node().attributes.end() ? nullptr : std::get_if<std::vector<double>>(&it->second);
    if (scales == nullptr) return context.Invalid("attribute 'scales' is missing");
    return *scales;
  }
  if (context.node().op == "Resize" && context.opset() >= 11) input = 2;
  if (!context.HasInput(input)) return std::vector<double>{};
  const Tensor* scales = context.Constant(input);
  if (scales == nullptr) return context.Unsupported("scales must be constant");
  return scales->ToDoubles();
}

absl::StatusOr<std::vector<ResizeDimension>> ReadDimensions(const OpContext& context, const Shape& shape) {
  std::vector<ResizeDimension> dimensions(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) dimensions[d].output = shape[d];
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> scales, ReadScales(context));
  std::vector<int64_t> sizes;
  if (scales.empty()) {
    if (!context.HasInput(3)) return context.Invalid("neither scales nor sizes are given");
    ESPALIER_ASSIGN_OR_RETURN(sizes, ConstantInts(context, 3, "sizes"));
  }
  std::vector<int64_t> axes;
  ESPALIER_ASSIGN_OR_RETURN(axes, context.Ints("axes", {}));
  if (axes.empty()) {
    for (size_t d = 0; d < shape.size(); ++d) axes.push_back(static_cast<int64_t>(d));
  }
  if (std::max(scales.size(), sizes.size()) != axes.size()) {
    return context.Invalid("scales or sizes do not match the dimensions");
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    ESPALIER_ASSIGN_OR_RETURN(const int64_t axis,
                              NormaliseAxis(context, axes[i], static_cast<int64_t>(shape.size())));
    const auto d = static_cast<size_t>(axis);
    const auto extent = static_cast<double>(shape[d]);
    const double output = scales.empty() ? static_cast<double>(sizes[i]) : std::floor(scales[i] * extent);
    if (!(output >= 1 && output <= kMaxExtent) || extent < 1)
      return context.Invalid("a resized dimension is out of range");
    dimensions[d].output = static_cast<int64_t>(output);
    dimensions[d].scale = static_cast<float>(scales.empty() ? output / extent : scales[i]);
  }
  return dimensions;
}

float SourceCoordinate(const ResizeModes& modes, const ResizeDimension& to, int64_t extent, int64_t i) {
  const auto x = static_cast<float>(i);
  if (to.scale == 1.0F) return x;
  if (modes.coordinate == "asymmetric") return x / to.scale;
  if (modes.coordinate == "tf_half_pixel_for_nn") return (x + 0.5F) / to.scale;
  if (modes.coordinate == "align_corners") {
    return to.output == 1 ? 0 : x * static_cast<float>(extent - 1) / static_cast<float>(to.output - 1);
  }
  if (modes.coordinate == "pytorch_half_pixel" && to.output == 1) return 0;
  return (x + 0.5F) / to.scale - 0.5F;
}

int64_t Round(const std::string& rounding, float x) {
  const float down = std::floor(x), up = std::ceil(x);
  if (rounding == "floor") return static_cast<int64_t>(down);
  if (rounding == "ceil") return static_cast<int64_t>(up);
  const float fraction = x - down;
  if (fraction == 0.5F) return static_cast<int64_t>(rounding == "round_prefer_floor" ? down : up);
  return static_cast<int64_t>(fraction < 0.5F ? down : up);
}

}  // namespace

InferResult InferResize(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(ReadModes(context).status());
  const Shape& shape = context.InputShape(0);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<ResizeDimension> dimensions, ReadDimensions(context, shape));
  Shape out;
  for (const ResizeDimension& dimension : dimensions) out.push_back(dimension.output);
  return std::vector<OutputInfo>{{context.InputType(0), std::move(out)}};
}

EvaluateResult EvaluateResize(const OpContext& context, Inputs inputs) {
  const Shape& shape = inputs[0]->shape;
  ESPALIER_ASSIGN_OR_RETURN(const ResizeModes modes, ReadModes(context));
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<ResizeDimension> dimensions, ReadDimensions(context, shape));
  std::vector<std::vector<int64_t>> maps(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    for (int64_t i = 0; i < dimensions[d].output; ++i) {
      const int64_t source = Round(modes.rounding, SourceCoordinate(modes, dimensions[d], shape[d], i));
      maps[d].push_back(std::clamp<int64_t>(source, 0, shape[d] - 1));
    }
  }
  return std::vector<Tensor>{PickGrid(*inputs[0], maps)};
}

}  // namespace espalier::ops
