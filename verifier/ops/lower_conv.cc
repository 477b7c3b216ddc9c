// Convolutions and their transposes, channels-last. Grouped ones become sparse maps, or plain convolutions
// with zero blocks in the kernel where that is less work.
#include <utility>
#include <vector>

#include "verifier/base/status.h"
#include "verifier/ir/compose.h"
#include "verifier/ops/lower_functions.h"
#include "verifier/ops/lowering.h"
#include "verifier/ops/window.h"

namespace espalier::ops {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// The convolution with big image `big` and small image `small`; `weights` in ONNX order: [small_c][big_c /
// group] for Conv (small is its output) and the same for ConvTranspose (small is its input), then the
// kernel's pixels.
ir::ConvMap MakeConv(const Window& w, bool transposed, const std::vector<double>& weights) {
  ir::ConvMap map;
  map.transposed = transposed;
  const auto& big = transposed ? w.output : w.input;
  const auto& small = transposed ? w.input : w.output;
  map.big_h = big[0], map.big_w = big[1];
  map.small_h = small[0], map.small_w = small[1];
  map.big_c = transposed ? w.out_channels : w.in_channels;
  map.small_c = transposed ? w.in_channels : w.out_channels;
  map.kernel_h = w.kernel[0], map.kernel_w = w.kernel[1];
  map.stride_h = w.stride[0], map.stride_w = w.stride[1];
  map.pad_top = w.pad_begin[0], map.pad_left = w.pad_begin[1];
  map.dilation_h = w.dilation[0], map.dilation_w = w.dilation[1];
  const int64_t taps = map.kernel_h * map.kernel_w;
  const int64_t small_per_group = map.small_c / w.group, big_per_group = map.big_c / w.group;
  map.kernel.assign(At(map.small_c * taps * map.big_c), 0.0);
  for (int64_t s = 0; s < map.small_c; ++s) {
    const int64_t first = s / small_per_group * big_per_group;
    for (int64_t b = 0; b < big_per_group; ++b) {
      for (int64_t t = 0; t < taps; ++t) {
        map.kernel[At((s * taps + t) * map.big_c + first + b)] =
            weights[At((s * big_per_group + b) * taps + t)];
      }
    }
  }
  return map;
}

absl::Status LowerWindowProduct(const OpContext& context, Lowering& lowering, const Window& window,
                                bool transposed) {
  const Tensor* weights = context.Constant(1);
  if (!weights) return context.Unsupported("weights depend on the input");
  if (window.batch != 1) return context.Unsupported("more than one image at a time");
  if (context.Constant(0)) return context.Unsupported("the image is constant but the bias is not");
  ir::LinearMap map = MakeConv(window, transposed, weights->ToDoubles());
  if (static_cast<double>(window.group) > ir::kSparseEntryWork) {
    if (ir::Work(map) > static_cast<double>(kMaxEntries * window.group)) {
      return context.Unsupported("too many coefficients");
    }
    map = ir::ToSparse(map);
  }
  map = ir::Simplify(std::move(map));

  const LoweredValue x = lowering.InLayout(lowering.Input(context, 0), Layout::kChannelsLast);
  const Shape& shape = lowering.OutputShape(context, 0);
  std::vector<ir::AffineTerm> terms{{x.node, MakeMap(std::move(map))}};
  std::vector<double> bias;
  if (context.HasInput(2)) {
    const Tensor* constant = context.Constant(2);
    if (!constant) return context.Unsupported("the bias depends on the input");
    Tensor per_channel = *constant;
    per_channel.shape.assign(shape.size() - 1, 1);
    per_channel.shape[0] = shape[1];
    bias = StoredConstant(per_channel, shape, Layout::kChannelsLast);
  }
  lowering.SetOutput(context, 0,
                     lowering.AddAffine(lowering.OutputName(context, 0), std::move(terms), std::move(bias),
                                        shape, Layout::kChannelsLast));
  return absl::OkStatus();
}

}  // namespace

absl::Status LowerConv(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const Window window, ConvWindow(context));
  return LowerWindowProduct(context, lowering, window, false);
}

absl::Status LowerConvTranspose(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const Window window, ConvTransposeWindow(context));
  return LowerWindowProduct(context, lowering, window, true);
}

}  // namespace espalier::ops
