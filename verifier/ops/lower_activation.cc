// Piecewise-linear activations with at most one kink per neuron (Hinge), and Clip as a sum of two.
#include <limits>
#include <utility>
#include <vector>

#include "verifier/base/status.h"
#include "verifier/ops/lower_functions.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {
namespace {

using Doubles = std::vector<double>;

size_t CountOf(const LoweredValue& x) {
  return StoredPositions(x.shape, x.layout).size();
}

absl::Status EmitHinge(const OpContext& context, Lowering& lowering, const LoweredValue& x,
                       ir::HingeLayer hinge) {
  lowering.SetOutput(context, 0,
                     lowering.AddActivation(lowering.OutputName(context, 0), x, std::move(hinge)));
  return absl::OkStatus();
}

absl::Status EmitUniform(const OpContext& context, Lowering& lowering, double left, double right) {
  const LoweredValue& x = lowering.Input(context, 0);
  const size_t n = CountOf(x);
  return EmitHinge(context, lowering, x, {Doubles(n, left), Doubles(n, right), Doubles(n, 0.0)});
}

// relu(x - bound); the shift is left out where it is zero.
LoweredValue ReluAbove(const OpContext& context, Lowering& lowering, const LoweredValue& x, double bound) {
  const size_t n = CountOf(x);
  const std::string name = lowering.OutputName(context, 0);
  LoweredValue shifted = x;
  if (bound != 0) {
    ir::LinearMap identity = ir::IdentityMap{static_cast<int64_t>(n)};
    shifted = lowering.AddAffine(name, {{x.node, MakeMap(std::move(identity))}}, Doubles(n, -bound), x.shape,
                                 x.layout);
  }
  return lowering.AddActivation(name, shifted, {Doubles(n, 0.0), Doubles(n, 1.0), Doubles(n, 0.0)});
}

// A bound of Clip: an attribute before opset 11, an input since.
absl::StatusOr<double> ClipBound(const OpContext& context, int input, const char* name, double fallback) {
  if (context.opset() < 11) return context.Float(name, fallback);
  if (!context.HasInput(input)) return fallback;
  const Tensor* constant = context.Constant(input);
  if (!constant) return context.Unsupported("the bounds depend on the input");
  return constant->AsDouble(0);
}

}  // namespace

absl::Status LowerRelu(const OpContext& context, Lowering& lowering) {
  return EmitUniform(context, lowering, 0, 1);
}

absl::Status LowerAbs(const OpContext& context, Lowering& lowering) {
  return EmitUniform(context, lowering, -1, 1);
}

absl::Status LowerLeakyRelu(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const double alpha, context.Float("alpha", kDefaultLeakySlope));
  return EmitUniform(context, lowering, alpha, 1);
}

absl::Status LowerPRelu(const OpContext& context, Lowering& lowering) {
  const Tensor* slope = context.Constant(1);
  if (!slope) return context.Unsupported("the slope depends on the input");
  if (context.Constant(0)) return context.Unsupported("a constant argument");
  const LoweredValue& x = lowering.Input(context, 0);
  const size_t n = CountOf(x);
  return EmitHinge(context, lowering, x,
                   {StoredConstant(*slope, x.shape, x.layout), Doubles(n, 1.0), Doubles(n, 0.0)});
}

absl::Status LowerLinearMaskedRelu(const OpContext& context, Lowering& lowering) {
  for (int i = 1; i < 4; ++i) {
    if (!context.Constant(i)) return context.Unsupported("mask, slope and intercept must be constant");
  }
  const LoweredValue& x = lowering.Input(context, 0);
  const Doubles mask = StoredConstant(*context.Constant(1), x.shape, x.layout);
  const Doubles slope = StoredConstant(*context.Constant(2), x.shape, x.layout);
  const Doubles intercept = StoredConstant(*context.Constant(3), x.shape, x.layout);
  const size_t n = mask.size();
  ir::HingeLayer hinge{Doubles(n, 0.0), Doubles(n, 1.0), Doubles(n, 0.0)};
  for (size_t i = 0; i < n; ++i) {
    if (mask[i] == 0) continue;
    hinge.left[i] = hinge.right[i] = slope[i];
    hinge.intercept[i] = intercept[i];
  }
  return EmitHinge(context, lowering, x, std::move(hinge));
}

// clip(x, lo, hi) = lo + relu(x - lo) - relu(x - hi) for lo <= hi; the constant hi otherwise (as ONNX defines
// it).
absl::Status LowerClip(const OpContext& context, Lowering& lowering) {
  constexpr double kNone = std::numeric_limits<float>::max();
  ESPALIER_ASSIGN_OR_RETURN(const double lower, ClipBound(context, 1, "min", -kNone));
  ESPALIER_ASSIGN_OR_RETURN(const double upper, ClipBound(context, 2, "max", kNone));
  const LoweredValue x = lowering.Input(context, 0);
  const bool has_lower = lower > -kNone, has_upper = upper < kNone;
  std::vector<ir::AffineTerm> terms;
  Doubles bias(CountOf(x), 0.0);
  const auto add = [&](const LoweredValue& value, double factor) {
    terms.push_back({value.node, MakeMap(ir::ScaleMap{Doubles(bias.size(), factor)})});
  };
  if (lower > upper) {
    bias.assign(bias.size(), upper);
  } else {
    add(has_lower ? ReluAbove(context, lowering, x, lower) : x, 1);
    if (has_lower) bias.assign(bias.size(), lower);
    if (has_upper) add(ReluAbove(context, lowering, x, upper), -1);
  }
  lowering.SetOutput(context, 0,
                     lowering.AddAffine(lowering.OutputName(context, 0), std::move(terms), std::move(bias),
                                        x.shape, x.layout));
  return absl::OkStatus();
}

}  // namespace espalier::ops
