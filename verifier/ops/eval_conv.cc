// Conv and ConvTranspose by direct loops: one output plane at a time is accumulated in double, kernel tap by
// kernel tap, along contiguous rows; then rounded once to the operands' type.
#include <algorithm>

#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"
#include "verifier/ops/window.h"

namespace espalier::ops {
namespace {

struct Range {
  int64_t begin, end;
};

// The positions p in [0, count) with 0 <= p * stride + shift < extent.
Range InsideRange(int64_t count, int64_t stride, int64_t shift, int64_t extent) {
  const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
  const int64_t end = extent - shift <= 0 ? 0 : (extent - shift - 1) / stride + 1;
  return {std::min(begin, count), std::max(std::min(begin, count), std::min(end, count))};
}

// One kernel tap (i, j): with `small` the strided side and `big` the dense one, visits every row of pairs.
// f(small_row_pointer_offset, big_row_offset, count): big offset advances by the stride.
template <class F>
void ForEachRow(const Window& w, const std::array<int64_t, 2>& small, const std::array<int64_t, 2>& big,
                int64_t i, int64_t j, F f) {
  const int64_t shift_h = i * w.dilation[0] - w.pad_begin[0];
  const int64_t shift_w = j * w.dilation[1] - w.pad_begin[1];
  const Range rows = InsideRange(small[0], w.stride[0], shift_h, big[0]);
  const Range columns = InsideRange(small[1], w.stride[1], shift_w, big[1]);
  if (columns.begin == columns.end) return;
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    f(p * small[1] + columns.begin,
      (p * w.stride[0] + shift_h) * big[1] + columns.begin * w.stride[1] + shift_w,
      columns.end - columns.begin);
  }
}

// sums[p, q] += sum over taps of kernel * image, for one pair of channels.
template <class T>
void AddConv(const Window& w, const T* image, const T* kernel, std::vector<double>& sums) {
  for (int64_t i = 0; i < w.kernel[0]; ++i) {
    for (int64_t j = 0; j < w.kernel[1]; ++j) {
      const auto factor = static_cast<double>(kernel[i * w.kernel[1] + j]);
      const int64_t stride = w.stride[1];
      ForEachRow(w, w.output, w.input, i, j, [&](int64_t to, int64_t from, int64_t count) {
        double* out = sums.data() + to;
        const T* in = image + from;
        if (stride == 1) {
          for (int64_t q = 0; q < count; ++q) out[q] += factor * static_cast<double>(in[q]);
        } else {
          for (int64_t q = 0; q < count; ++q) out[q] += factor * static_cast<double>(in[q * stride]);
        }
      });
    }
  }
}

// The adjoint: every input pixel adds kernel * pixel around its place in the big image.
template <class T>
void AddConvTranspose(const Window& w, const T* image, const T* kernel, std::vector<double>& sums) {
  for (int64_t i = 0; i < w.kernel[0]; ++i) {
    for (int64_t j = 0; j < w.kernel[1]; ++j) {
      const auto factor = static_cast<double>(kernel[i * w.kernel[1] + j]);
      ForEachRow(w, w.input, w.output, i, j, [&](int64_t from, int64_t to, int64_t count) {
        double* out = sums.data() + to;
        const T* in = image + from;
        for (int64_t q = 0; q < count; ++q) out[q * w.stride[1]] += factor * static_cast<double>(in[q]);
      });
    }
  }
}

// Weights of (output channel o, input channel c of o's group), whose layout differs between the two
// operators.
template <class T>
const T* KernelOf(const Window& w, bool transposed, const T* weights, int64_t o, int64_t c) {
  const int64_t taps = w.kernel[0] * w.kernel[1];
  const int64_t in_per_group = w.in_channels / w.group, out_per_group = w.out_channels / w.group;
  if (!transposed) return weights + (o * in_per_group + c) * taps;
  const int64_t channel = o / out_per_group * in_per_group + c;
  return weights + (channel * out_per_group + o % out_per_group) * taps;
}

template <class T>
Tensor Convolve(const Window& w, bool transposed, Inputs inputs) {
  const int64_t plane_in = w.input[0] * w.input[1], plane_out = w.output[0] * w.output[1];
  const int64_t in_per_group = w.in_channels / w.group, out_per_group = w.out_channels / w.group;
  const T* x = Elements<T>(*inputs[0]).data();
  const T* weights = Elements<T>(*inputs[1]).data();
  const T* bias = inputs.size() > 2 && inputs[2] != nullptr ? Elements<T>(*inputs[2]).data() : nullptr;
  std::vector<T> out(static_cast<size_t>(w.batch * w.out_channels * plane_out));
  std::vector<double> sums(static_cast<size_t>(plane_out));
  for (int64_t n = 0; n < w.batch; ++n) {
    for (int64_t o = 0; o < w.out_channels; ++o) {
      std::fill(sums.begin(), sums.end(), bias != nullptr ? static_cast<double>(bias[o]) : 0.0);
      const T* image = x + (n * w.in_channels + o / out_per_group * in_per_group) * plane_in;
      for (int64_t c = 0; c < in_per_group; ++c) {
        const T* kernel = KernelOf(w, transposed, weights, o, c);
        if (transposed) {
          AddConvTranspose(w, image + c * plane_in, kernel, sums);
        } else {
          AddConv(w, image + c * plane_in, kernel, sums);
        }
      }
      T* to = out.data() + (n * w.out_channels + o) * plane_out;
      for (int64_t p = 0; p < plane_out; ++p) to[p] = static_cast<T>(sums[static_cast<size_t>(p)]);
    }
  }
  return Tensor{inputs[0]->type, w.OutputShape(), std::move(out)};
}

EvaluateResult EvaluateWindow(const absl::StatusOr<Window>& w, bool transposed, Inputs inputs) {
  if (!w.ok()) return w.status();
  return std::vector<Tensor>{inputs[0]->type == ElementType::kFloat32
                                 ? Convolve<float>(*w, transposed, inputs)
                                 : Convolve<double>(*w, transposed, inputs)};
}

}  // namespace

InferResult InferConv(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  ESPALIER_ASSIGN_OR_RETURN(const Window w, ConvWindow(context));
  return std::vector<OutputInfo>{{context.InputType(0), w.OutputShape()}};
}

InferResult InferConvTranspose(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  ESPALIER_ASSIGN_OR_RETURN(const Window w, ConvTransposeWindow(context));
  return std::vector<OutputInfo>{{context.InputType(0), w.OutputShape()}};
}

EvaluateResult EvaluateConv(const OpContext& context, Inputs inputs) {
  return EvaluateWindow(ConvWindow(context), /*transposed=*/false, inputs);
}

EvaluateResult EvaluateConvTranspose(const OpContext& context, Inputs inputs) {
  return EvaluateWindow(ConvTransposeWindow(context), /*transposed=*/true, inputs);
}

}  // namespace espalier::ops
