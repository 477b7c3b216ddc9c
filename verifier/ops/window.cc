#include "verifier/ops/window.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"

namespace espalier::ops {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 30;  // keeps every product below in 64 bits

// A per-dimension attribute, lifted to two dimensions.
absl::Status ReadPair(const OpContext& context, const char* name, int rank, int64_t minimum,
                      std::array<int64_t, 2>& pair) {
  if (!context.Has(name)) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(std::vector<int64_t> values, context.Ints(name, {}));
  if (static_cast<int>(values.size()) != rank) {
    return context.Invalid(absl::StrCat("attribute '", name, "' needs ", rank, " entries"));
  }
  for (int d = 0; d < rank; ++d) {
    const int64_t value = values[static_cast<size_t>(d)];
    if (value < minimum || value > kMaxExtent) {
      return context.Invalid(absl::StrCat("attribute '", name, "' holds ", value));
    }
    pair[static_cast<size_t>(2 - rank + d)] = value;
  }
  return absl::OkStatus();
}

absl::Status ReadPads(const OpContext& context, Window& w) {
  if (!context.Has("pads")) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(std::vector<int64_t> pads, context.Ints("pads", {}));
  if (static_cast<int>(pads.size()) != 2 * w.rank)
    return context.Invalid("attribute 'pads' has the wrong length");
  for (int d = 0; d < w.rank; ++d) {
    const int64_t begin = pads[static_cast<size_t>(d)], end = pads[static_cast<size_t>(w.rank + d)];
    if (begin < 0 || end < 0) return context.Unsupported("negative pads are not supported");
    if (begin > kMaxExtent || end > kMaxExtent) return context.Invalid("attribute 'pads' is too large");
    w.pad_begin[static_cast<size_t>(2 - w.rank + d)] = begin;
    w.pad_end[static_cast<size_t>(2 - w.rank + d)] = end;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAutoPad(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(std::string mode, context.String("auto_pad", "NOTSET"));
  if (mode != "NOTSET" && mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER") {
    return context.Invalid(absl::StrCat("unknown auto_pad '", mode, "'"));
  }
  return mode;
}

// Batch, channels and extent of an N C spatial... input.
absl::StatusOr<Window> StartWindow(const OpContext& context) {
  const Shape& shape = context.InputShape(0);
  Window w;
  w.rank = static_cast<int>(shape.size()) - 2;
  if (w.rank < 1)
    return context.Invalid(absl::StrCat("input ", ShapeToString(shape), " is not image-shaped"));
  if (w.rank > 2) return context.Unsupported("more than two spatial dimensions are not supported");
  if (*ElementCount(shape) == 0) return context.Invalid("the input is empty");
  w.batch = shape[0];
  w.in_channels = shape[1];
  for (int d = 0; d < w.rank; ++d)
    w.input[static_cast<size_t>(2 - w.rank + d)] = shape[static_cast<size_t>(2 + d)];
  for (int64_t extent : w.input) {
    if (extent > kMaxExtent) return context.Invalid("input is too large");
  }
  return w;
}

int64_t KernelExtent(const Window& w, size_t d) {
  return (w.kernel[d] - 1) * w.dilation[d] + 1;
}

absl::Status SamePadding(const std::string& mode, size_t d, Window& w) {
  w.output[d] = (w.input[d] + w.stride[d] - 1) / w.stride[d];
  const int64_t total =
      std::max<int64_t>(0, (w.output[d] - 1) * w.stride[d] + KernelExtent(w, d) - w.input[d]);
  w.pad_begin[d] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
  w.pad_end[d] = total - w.pad_begin[d];
  return absl::OkStatus();
}

// Pads and output extent of a convolution or pooling window whose other fields are set.
absl::Status FinishForward(const OpContext& context, bool ceil_mode, Window& w) {
  ESPALIER_ASSIGN_OR_RETURN(const std::string mode, ReadAutoPad(context));
  if (mode == "NOTSET") ESPALIER_RETURN_IF_ERROR(ReadPads(context, w));
  for (size_t d = 0; d < 2; ++d) {
    if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      ESPALIER_RETURN_IF_ERROR(SamePadding(mode, d, w));
      continue;
    }
    const int64_t room = w.input[d] + w.pad_begin[d] + w.pad_end[d] - KernelExtent(w, d);
    if (room < 0) return context.Invalid("the kernel is larger than the padded input");
    w.output[d] = (ceil_mode ? room + w.stride[d] - 1 : room) / w.stride[d] + 1;
    if (ceil_mode && (w.output[d] - 1) * w.stride[d] >= w.input[d] + w.pad_begin[d]) {
      return context.Unsupported("ceil_mode with a window that lies wholly in the padding is not supported");
    }
  }
  return absl::OkStatus();
}

// Kernel extent from the weights (input 1), checked against the attribute; group.
absl::Status ReadWeights(const OpContext& context, Window& w) {
  const Shape& weights = context.InputShape(1);
  if (static_cast<int>(weights.size()) != w.rank + 2) return context.Invalid("weights have the wrong rank");
  for (int d = 0; d < w.rank; ++d) {
    w.kernel[static_cast<size_t>(2 - w.rank + d)] = weights[static_cast<size_t>(2 + d)];
  }
  std::array<int64_t, 2> declared = w.kernel;
  ESPALIER_RETURN_IF_ERROR(ReadPair(context, "kernel_shape", w.rank, 1, declared));
  if (declared != w.kernel) return context.Invalid("kernel_shape does not match the weights");
  if (w.kernel[0] < 1 || w.kernel[1] < 1) return context.Invalid("empty kernel");
  ESPALIER_RETURN_IF_ERROR(ReadPair(context, "strides", w.rank, 1, w.stride));
  ESPALIER_RETURN_IF_ERROR(ReadPair(context, "dilations", w.rank, 1, w.dilation));
  for (size_t d = 0; d < 2; ++d) {
    if (w.kernel[d] > kMaxExtent || KernelExtent(w, d) > kMaxExtent)
      return context.Invalid("kernel is too large");
  }
  ESPALIER_ASSIGN_OR_RETURN(w.group, context.Int("group", 1));
  if (w.group < 1 || w.in_channels % w.group != 0)
    return context.Invalid("group does not divide the channels");
  return absl::OkStatus();
}

absl::Status CheckBias(const OpContext& context, const Window& w) {
  if (context.HasInput(2) && context.InputShape(2) != Shape{w.out_channels}) {
    return context.Invalid("bias does not have one entry per output channel");
  }
  return absl::OkStatus();
}

// Pads from a requested output extent; the larger half of an odd total goes to the end for SAME_UPPER only.
void PadsFromOutput(const std::string& mode, size_t d, int64_t full, Window& w) {
  const int64_t total = std::max<int64_t>(0, full - w.output[d]);
  w.pad_begin[d] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
  w.pad_end[d] = total - w.pad_begin[d];
}

}  // namespace

Shape Window::OutputShape() const {
  Shape shape = {batch, out_channels};
  for (int d = 2 - rank; d < 2; ++d) shape.push_back(output[static_cast<size_t>(d)]);
  return shape;
}

absl::StatusOr<Window> ConvWindow(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(Window w, StartWindow(context));
  ESPALIER_RETURN_IF_ERROR(ReadWeights(context, w));
  const Shape& weights = context.InputShape(1);
  w.out_channels = weights[0];
  if (weights[1] != w.in_channels / w.group || w.out_channels % w.group != 0) {
    return context.Invalid("weights do not match the input channels and group");
  }
  ESPALIER_RETURN_IF_ERROR(CheckBias(context, w));
  ESPALIER_RETURN_IF_ERROR(FinishForward(context, /*ceil_mode=*/false, w));
  return w;
}

absl::StatusOr<Window> ConvTransposeWindow(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(Window w, StartWindow(context));
  ESPALIER_RETURN_IF_ERROR(ReadWeights(context, w));
  const Shape& weights = context.InputShape(1);
  if (weights[0] != w.in_channels) return context.Invalid("weights do not match the input channels");
  if (weights[1] > kMaxExtent / w.group) return context.Invalid("too many output channels");
  w.out_channels = weights[1] * w.group;
  ESPALIER_RETURN_IF_ERROR(CheckBias(context, w));
  ESPALIER_ASSIGN_OR_RETURN(const std::string mode, ReadAutoPad(context));
  std::array<int64_t, 2> output_padding{0, 0};
  ESPALIER_RETURN_IF_ERROR(ReadPair(context, "output_padding", w.rank, 0, output_padding));
  ESPALIER_RETURN_IF_ERROR(ReadPair(context, "output_shape", w.rank, 1, w.output));
  if (mode == "NOTSET") ESPALIER_RETURN_IF_ERROR(ReadPads(context, w));
  for (size_t d = 0; d < 2; ++d) {
    if (w.input[d] > kMaxExtent / w.stride[d]) return context.Invalid("output is too large");
    const int64_t full = w.stride[d] * (w.input[d] - 1) + KernelExtent(w, d) + output_padding[d];
    if (context.Has("output_shape")) {
      PadsFromOutput(mode, d, full, w);
    } else if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      w.output[d] = w.input[d] * w.stride[d];
      PadsFromOutput(mode, d, full, w);
    } else {
      w.output[d] = full - w.pad_begin[d] - w.pad_end[d];
      if (w.output[d] < 1) return context.Invalid("pads leave no output");
    }
  }
  return w;
}

absl::StatusOr<Window> PoolWindow(const OpContext& context) {
  ESPALIER_ASSIGN_OR_RETURN(Window w, StartWindow(context));
  w.out_channels = w.group = w.in_channels;
  if (context.node().op.rfind("Global", 0) == 0) {
    w.kernel = w.input;
    return w;
  }
  if (!context.Has("kernel_shape")) return context.Invalid("attribute 'kernel_shape' is missing");
  ESPALIER_RETURN_IF_ERROR(ReadPair(context, "kernel_shape", w.rank, 1, w.kernel));
  ESPALIER_RETURN_IF_ERROR(ReadPair(context, "strides", w.rank, 1, w.stride));
  ESPALIER_RETURN_IF_ERROR(ReadPair(context, "dilations", w.rank, 1, w.dilation));
  for (size_t d = 0; d < 2; ++d) {
    if (w.kernel[d] > kMaxExtent / w.dilation[d]) return context.Invalid("kernel is too large");
  }
  ESPALIER_ASSIGN_OR_RETURN(const int64_t ceil_mode, context.Int("ceil_mode", 0));
  ESPALIER_RETURN_IF_ERROR(FinishForward(context, ceil_mode != 0, w));
  for (size_t d = 0; d < 2; ++d) {
    if (w.pad_begin[d] >= KernelExtent(w, d) || w.pad_end[d] >= KernelExtent(w, d)) {
      return context.Unsupported("padding as large as the pooling window is not supported");
    }
  }
  return w;
}

}  // namespace espalier::ops
