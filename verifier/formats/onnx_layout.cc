#include "verifier/formats/onnx_layout.h"

#include <algorithm>
#include <numeric>

namespace espalier::formats {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

}  // namespace

bool SameForm(const ir::ImageShape& a, const ir::ImageShape& b) {
  return a.h == b.h && a.w == b.w && a.c == b.c;
}

bool KeepsStoredOrder(const ir::ImageShape& form) {
  return form.c <= 1 || form.h * form.w == 1;
}

std::vector<int64_t> StoredOfFile(const ir::ImageShape& form, int64_t size) {
  std::vector<int64_t> stored(At(size));
  std::iota(stored.begin(), stored.end(), 0);
  if (KeepsStoredOrder(form)) return stored;
  const int64_t pixels = form.h * form.w;
  for (int64_t c = 0; c < form.c; ++c) {
    for (int64_t p = 0; p < pixels; ++p) stored[At(c * pixels + p)] = p * form.c + c;
  }
  return stored;
}

FileValue Convert(OnnxBuilder& builder, const FileValue& x, const ir::ImageShape& form) {
  if (SameForm(x.form, form)) return x;
  std::string name = x.name;
  if (!KeepsStoredOrder(x.form)) name = builder.Transposed(name, {0, 2, 3, 1});
  if (form.c == 0) return {builder.Flat(name), form};
  if (KeepsStoredOrder(form)) return {builder.Reshaped(name, {form.c, form.h, form.w}), form};
  name = builder.Reshaped(name, {form.h, form.w, form.c});
  return {builder.Transposed(name, {0, 3, 1, 2}), form};
}

std::vector<float> RoundToFloat(const std::vector<double>& values) {
  std::vector<float> rounded(values.size());
  std::transform(values.begin(), values.end(), rounded.begin(),
                 [](double v) { return static_cast<float>(v); });
  return rounded;
}

bool IsPerChannel(const std::vector<double>& values, int64_t channels) {
  for (size_t i = At(channels); i < values.size(); ++i) {
    if (values[i] != values[i - At(channels)]) return false;
  }
  return true;
}

std::string AddConstant(OnnxBuilder& builder, std::string_view role, const std::vector<double>& values,
                        const ir::ImageShape& form) {
  if (IsPerChannel(values, 1)) return builder.Floats(role, {}, {static_cast<float>(values.front())});
  const auto size = static_cast<int64_t>(values.size());
  if (form.c == 0) return builder.Floats(role, {size}, RoundToFloat(values));
  if (IsPerChannel(values, form.c)) {
    const std::vector<double> channels(values.begin(), values.begin() + form.c);
    return builder.Floats(role, {form.c, 1, 1}, RoundToFloat(channels));
  }
  const std::vector<int64_t> stored = StoredOfFile(form, size);
  std::vector<double> ordered(values.size());
  for (size_t f = 0; f < ordered.size(); ++f) ordered[f] = values[At(stored[f])];
  return builder.Floats(role, {form.c, form.h, form.w}, RoundToFloat(ordered));
}

}  // namespace espalier::formats
