#include "verifier/formats/onnx_hinge.h"

#include <algorithm>
#include <string>

namespace espalier::formats {
namespace {

using Doubles = std::vector<double>;

bool All(const Doubles& values, double wanted) {
  return std::all_of(values.begin(), values.end(), [wanted](double v) { return v == wanted; });
}

bool IsFloat(double value) {
  return static_cast<double>(static_cast<float>(value)) == value;
}

// y = kink(x; slope) * factor + x * line + shift, with kink(x; s) = x < 0 ? s x : x.
struct Parts {
  Doubles slope, factor, line, shift;
  bool kinks = false;  // some neuron has a factor
};

Parts Split(const ir::HingeLayer& hinge, const std::vector<bool>& idle) {
  const size_t n = hinge.left.size();
  Parts parts{Doubles(n, 0.0), Doubles(n, 0.0), hinge.left, hinge.intercept, false};
  std::vector<bool> free(n, true);  // the slope may be anything
  for (size_t i = 0; i < n; ++i) {
    if (hinge.left[i] == hinge.right[i]) continue;
    parts.kinks = true;
    free[i] = false;
    parts.factor[i] = hinge.right[i] - hinge.left[i];
    if (hinge.right[i] != 1 || IsFloat(parts.factor[i])) continue;
    parts.slope[i] = hinge.left[i];
    parts.factor[i] = 1;
    parts.line[i] = 0;
  }
  if (!parts.kinks) return parts;
  const auto first = static_cast<size_t>(std::find(free.begin(), free.end(), false) - free.begin());
  for (size_t i = 0; i < n; ++i) {
    if (!free[i]) continue;
    parts.slope[i] = parts.slope[first];
    if (idle[i]) parts.factor[i] = parts.factor[first], parts.line[i] = parts.line[first];
  }
  return parts;
}

std::string WriteKink(OnnxBuilder& builder, const FileValue& x, const Doubles& slope) {
  if (All(slope, 0)) return builder.Add("Relu", {x.name});
  if (All(slope, slope.front())) {
    return builder.Add("LeakyRelu", {x.name}, {{"alpha", static_cast<float>(slope.front())}});
  }
  return builder.Add("PRelu", {x.name, AddConstant(builder, "slope", slope, x.form)});
}

std::string Scaled(OnnxBuilder& builder, const std::string& x, const Doubles& factor,
                   const ir::ImageShape& form) {
  return All(factor, 1) ? x : builder.Add("Mul", {x, AddConstant(builder, "scale", factor, form)});
}

}  // namespace

FileValue WriteHinge(OnnxBuilder& builder, const FileValue& x, const ir::HingeLayer& hinge,
                     const std::vector<bool>& idle) {
  const Parts parts = Split(hinge, idle);
  std::string kink, line;
  if (parts.kinks) kink = Scaled(builder, WriteKink(builder, x, parts.slope), parts.factor, x.form);
  // The shift joins the line, not the sum: that way folding sees a hinge with an intercept in one step.
  if (!parts.kinks || !All(parts.line, 0)) line = Scaled(builder, x.name, parts.line, x.form);
  if (!All(parts.shift, 0)) {
    std::string& shifted = line.empty() ? kink : line;
    shifted = builder.Add("Add", {shifted, AddConstant(builder, "shift", parts.shift, x.form)});
  }
  if (kink.empty() || line.empty()) return {kink.empty() ? line : kink, x.form};
  return {builder.Add("Add", {kink, line}), x.form};
}

}  // namespace espalier::formats
