#include "verifier/formats/onnx_conv.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace espalier::formats {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// One direction of a window between `big` and `small`.
struct Axis {
  int64_t big, small, kernel, stride, begin, dilation;

  int64_t extent() const { return (kernel - 1) * dilation + 1; }
  // Padding behind the last pixel; negative where trailing pixels of the big image are not reached.
  int64_t end() const { return (small - 1) * stride + extent() - big - begin; }
};

struct Axes {
  Axis h, w;
};

Axes AxesOf(const ir::ConvMap& m) {
  return {{m.big_h, m.small_h, m.kernel_h, m.stride_h, m.pad_top, m.dilation_h},
          {m.big_w, m.small_w, m.kernel_w, m.stride_w, m.pad_left, m.dilation_w}};
}

// [c_small][kernel_h][kernel_w][c_big] -> ONNX's [c_small][c_big][kernel_h][kernel_w], for both operators.
std::string AddKernel(OnnxBuilder& builder, const ir::ConvMap& m) {
  const int64_t taps = m.kernel_h * m.kernel_w;
  std::vector<float> weights(m.kernel.size());
  for (int64_t s = 0; s < m.small_c; ++s) {
    for (int64_t t = 0; t < taps; ++t) {
      for (int64_t b = 0; b < m.big_c; ++b) {
        weights[At((s * m.big_c + b) * taps + t)] =
            static_cast<float>(m.kernel[At((s * taps + t) * m.big_c + b)]);
      }
    }
  }
  return builder.Floats("weight", {m.small_c, m.big_c, m.kernel_h, m.kernel_w}, weights);
}

std::string AddBias(OnnxBuilder& builder, const std::vector<double>& bias, int64_t channels) {
  return builder.Floats("bias", {channels}, RoundToFloat({bias.begin(), bias.begin() + channels}));
}

std::vector<OnnxAttribute> Geometry(const ir::ConvMap& m, const std::vector<int64_t>& pads) {
  return {{"dilations", std::vector<int64_t>{m.dilation_h, m.dilation_w}},
          {"kernel_shape", std::vector<int64_t>{m.kernel_h, m.kernel_w}},
          {"pads", pads},
          {"strides", std::vector<int64_t>{m.stride_h, m.stride_w}}};
}

// Rows and columns that ONNX's rounding would turn into further outputs, or that lie before the first window,
// are cut off.
std::string Cropped(OnnxBuilder& builder, const std::string& x, const Axes& axes) {
  const auto first = [](const Axis& a) { return std::max<int64_t>(0, -a.begin); };
  const auto last = [](const Axis& a) { return -a.end() >= a.stride ? a.big + a.end() : a.big; };
  const std::vector<int64_t> starts{first(axes.h), first(axes.w)}, ends{last(axes.h), last(axes.w)};
  if (starts == std::vector<int64_t>{0, 0} && ends == std::vector<int64_t>{axes.h.big, axes.w.big}) return x;
  return builder.Add(
      "Slice", {x, builder.Ints("starts", starts), builder.Ints("ends", ends), builder.Ints("axes", {2, 3})});
}

std::string WriteForward(OnnxBuilder& builder, const std::string& x, const ir::ConvMap& m,
                         const std::vector<double>* bias) {
  const Axes axes = AxesOf(m);
  std::vector<std::string> inputs{Cropped(builder, x, axes), AddKernel(builder, m)};
  if (bias != nullptr) inputs.push_back(AddBias(builder, *bias, m.small_c));
  const auto pad = [](int64_t amount) { return std::max<int64_t>(0, amount); };
  return builder.Add(
      "Conv", inputs,
      Geometry(m, {pad(axes.h.begin), pad(axes.w.begin), pad(axes.h.end()), pad(axes.w.end())}));
}

// Where the big image sticks out further than output_padding can say, zeros are put around; the bias follows.
std::string WriteTransposed(OnnxBuilder& builder, const std::string& x, const ir::ConvMap& m,
                            const std::vector<double>* bias) {
  const Axes axes = AxesOf(m);
  std::vector<int64_t> pads, before, after, output_padding;
  for (const Axis& a : {axes.h, axes.w}) {
    pads.push_back(std::max<int64_t>(0, a.begin));
    before.push_back(std::max<int64_t>(0, -a.begin));
    const int64_t missing = std::max<int64_t>(0, -a.end());
    output_padding.push_back(std::min(missing, a.stride - 1));
    after.push_back(missing - output_padding.back());
  }
  for (const Axis& a : {axes.h, axes.w}) pads.push_back(std::max<int64_t>(0, a.end()));
  std::vector<OnnxAttribute> attributes = Geometry(m, pads);
  if (output_padding != std::vector<int64_t>{0, 0}) attributes.push_back({"output_padding", output_padding});
  std::vector<std::string> inputs{x, AddKernel(builder, m)};
  const bool surrounded = before != std::vector<int64_t>{0, 0} || after != std::vector<int64_t>{0, 0};
  if (bias != nullptr && !surrounded) inputs.push_back(AddBias(builder, *bias, m.big_c));
  std::string y = builder.Add("ConvTranspose", inputs, attributes);
  if (!surrounded) return y;
  y = builder.Add("Pad", {y, builder.Ints("pads", {0, 0, before[0], before[1], 0, 0, after[0], after[1]})});
  if (bias == nullptr) return y;
  const ir::ImageShape form{m.big_h, m.big_w, m.big_c};
  return builder.Add("Add", {y, AddConstant(builder, "bias", *bias, form)});
}

// One matrix for every row of a table [rows, big_c] that is stored row by row.
bool IsRowProduct(const ir::ConvMap& m) {
  const bool plain = m.stride_w == 1 && m.pad_top == 0 && m.pad_left == 0 && !m.transposed;
  return plain && m.big_h == 1 && m.small_h == 1 && m.kernel_h == 1 && m.kernel_w == 1 &&
         m.big_w == m.small_w;
}

FileValue WriteRowProduct(OnnxBuilder& builder, const FileValue& x, const ir::ConvMap& m,
                          const std::vector<double>* bias) {
  std::vector<float> weights(m.kernel.size());
  for (int64_t s = 0; s < m.small_c; ++s) {
    for (int64_t b = 0; b < m.big_c; ++b) {
      weights[At(b * m.small_c + s)] = static_cast<float>(m.kernel[At(s * m.big_c + b)]);
    }
  }
  const std::string rows = builder.Reshaped(x.name, {m.big_w, m.big_c});
  std::string y = builder.Add("MatMul", {rows, builder.Floats("weight", {m.big_c, m.small_c}, weights)});
  if (bias != nullptr) y = builder.Add("Add", {y, AddBias(builder, *bias, m.small_c)});
  return {builder.Flat(y), kFlat};
}

}  // namespace

FileValue WriteConv(OnnxBuilder& builder, const FileValue& x, const ir::ConvMap& map,
                    const ir::ImageShape& form, const std::vector<double>* bias) {
  if (x.form.c == 0 && form.c == 0 && IsRowProduct(map)) return WriteRowProduct(builder, x, map, bias);
  const ir::ImageShape big{map.big_h, map.big_w, map.big_c}, small{map.small_h, map.small_w, map.small_c};
  const std::string image = Convert(builder, x, map.transposed ? small : big).name;
  if (map.transposed) return {WriteTransposed(builder, image, map, bias), big};
  return {WriteForward(builder, image, map, bias), small};
}

}  // namespace espalier::formats
