// MaxPool, AveragePool and their Global forms. Padding never wins a maximum; it counts in an average only
// with count_include_pad.
#include <algorithm>
#include <limits>

#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_functions.h"
#include "verifier/ops/window.h"

namespace espalier::ops {
namespace {

// Calls f(output_index, input_index) for every input pixel that each window reads, windows in order.
template <class Start, class Visit, class Finish>
void ForEachWindow(const Window& w, int64_t p, int64_t q, Start start, Visit visit, Finish finish) {
  start();
  for (int64_t i = 0; i < w.kernel[0]; ++i) {
    const int64_t row = p * w.stride[0] - w.pad_begin[0] + i * w.dilation[0];
    if (row < 0 || row >= w.input[0]) continue;
    for (int64_t j = 0; j < w.kernel[1]; ++j) {
      const int64_t column = q * w.stride[1] - w.pad_begin[1] + j * w.dilation[1];
      if (column >= 0 && column < w.input[1]) visit(row * w.input[1] + column);
    }
  }
  finish();
}

// Taps of one window along one dimension that lie inside the padded input.
int64_t PaddedTaps(const Window& w, size_t d, int64_t position) {
  int64_t taps = 0;
  for (int64_t i = 0; i < w.kernel[d]; ++i) {
    if (position * w.stride[d] - w.pad_begin[d] + i * w.dilation[d] < w.input[d] + w.pad_end[d]) ++taps;
  }
  return taps;
}

template <class T>
Tensor MaxOf(const Window& w, const Tensor& input) {
  const int64_t plane_in = w.input[0] * w.input[1];
  const T* image = Elements<T>(input).data();
  std::vector<T> out;
  out.reserve(static_cast<size_t>(*ElementCount(w.OutputShape())));
  for (int64_t channel = 0; channel < w.batch * w.in_channels; ++channel, image += plane_in) {
    for (int64_t p = 0; p < w.output[0]; ++p) {
      for (int64_t q = 0; q < w.output[1]; ++q) {
        T best = std::numeric_limits<T>::lowest();
        ForEachWindow(
            w, p, q, [] {}, [&](int64_t at) { best = image[at] <= best ? best : image[at]; },
            [&] { out.push_back(best); });
      }
    }
  }
  return Tensor{input.type, w.OutputShape(), std::move(out)};
}

template <class T>
Tensor AverageOf(const Window& w, bool count_padding, const Tensor& input) {
  const int64_t plane_in = w.input[0] * w.input[1];
  const T* image = Elements<T>(input).data();
  std::vector<T> out;
  out.reserve(static_cast<size_t>(*ElementCount(w.OutputShape())));
  for (int64_t channel = 0; channel < w.batch * w.in_channels; ++channel, image += plane_in) {
    for (int64_t p = 0; p < w.output[0]; ++p) {
      for (int64_t q = 0; q < w.output[1]; ++q) {
        double sum = 0;
        int64_t count = 0;
        ForEachWindow(
            w, p, q, [] {},
            [&](int64_t at) {
              sum += static_cast<double>(image[at]);
              ++count;
            },
            [&] {
              if (count_padding) count = PaddedTaps(w, 0, p) * PaddedTaps(w, 1, q);
              out.push_back(static_cast<T>(sum / static_cast<double>(count)));
            });
      }
    }
  }
  return Tensor{input.type, w.OutputShape(), std::move(out)};
}

}  // namespace

InferResult InferPool(const OpContext& context) {
  ESPALIER_RETURN_IF_ERROR(RequireFloat(context));
  if (context.node().outputs.size() > 1) return context.Unsupported("the Indices output is not supported");
  ESPALIER_RETURN_IF_ERROR(context.Int("count_include_pad", 0).status());
  ESPALIER_ASSIGN_OR_RETURN(const Window w, PoolWindow(context));
  return std::vector<OutputInfo>{{context.InputType(0), w.OutputShape()}};
}

EvaluateResult EvaluateMaxPool(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const Window w, PoolWindow(context));
  return std::vector<Tensor>{inputs[0]->type == ElementType::kFloat32 ? MaxOf<float>(w, *inputs[0])
                                                                      : MaxOf<double>(w, *inputs[0])};
}

EvaluateResult EvaluateAveragePool(const OpContext& context, Inputs inputs) {
  ESPALIER_ASSIGN_OR_RETURN(const Window w, PoolWindow(context));
  ESPALIER_ASSIGN_OR_RETURN(const int64_t count_padding, context.Int("count_include_pad", 0));
  return std::vector<Tensor>{inputs[0]->type == ElementType::kFloat32
                                 ? AverageOf<float>(w, count_padding != 0, *inputs[0])
                                 : AverageOf<double>(w, count_padding != 0, *inputs[0])};
}

}  // namespace espalier::ops
