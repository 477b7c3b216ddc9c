#include "verifier/backend/cpu_onednn_conv.h"

#include <algorithm>

#include "verifier/ir/map_forms.h"

namespace espalier::backend {
namespace {

using dnnl::memory;

int64_t PaddingBehind(int64_t big, int64_t small, int64_t kernel, int64_t stride, int64_t pad,
                      int64_t dilation) {
  const int64_t reach = (small - 1) * stride + (kernel - 1) * dilation + 1;
  return std::max<int64_t>(0, reach - big - pad);
}

}  // namespace

const dnnl::engine& CpuEngine() {
  static const dnnl::engine* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

ConvDescriptions::ConvDescriptions(const ir::ConvMap& map) : map_(ir::GeometryOf(map)) {
  strides_ = {map.stride_h, map.stride_w};
  dilations_ = {map.dilation_h - 1, map.dilation_w - 1};
  pad_before_ = {map.pad_top, map.pad_left};
  pad_behind_ = {
      PaddingBehind(map.big_h, map.small_h, map.kernel_h, map.stride_h, map.pad_top, map.dilation_h),
      PaddingBehind(map.big_w, map.small_w, map.kernel_w, map.stride_w, map.pad_left, map.dilation_w)};
  attributes_.set_fpmath_mode(dnnl::fpmath_mode::strict);
}

memory::desc ConvDescriptions::Image(int64_t rows, int64_t h, int64_t w, int64_t channels) const {
  return {{rows, channels, h, w}, memory::data_type::f32, memory::format_tag::nhwc};
}
memory::desc ConvDescriptions::Big(int64_t rows) const {
  return Image(rows, map_.big_h, map_.big_w, map_.big_c);
}
memory::desc ConvDescriptions::Small(int64_t rows) const {
  return Image(rows, map_.small_h, map_.small_w, map_.small_c);
}
memory::desc ConvDescriptions::Kernel() const {
  return {{map_.small_c, map_.big_c, map_.kernel_h, map_.kernel_w},
          memory::data_type::f32,
          memory::format_tag::ohwi};
}
memory::desc ConvDescriptions::AnyKernel() const {
  return {{map_.small_c, map_.big_c, map_.kernel_h, map_.kernel_w},
          memory::data_type::f32,
          memory::format_tag::any};
}

dnnl::convolution_forward::primitive_desc ConvDescriptions::Forward(int64_t rows) const {
  return {{dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, Big(rows), AnyKernel(),
           Small(rows), strides_, dilations_, pad_before_, pad_behind_},
          attributes_,
          CpuEngine()};
}

dnnl::convolution_backward_data::primitive_desc ConvDescriptions::BackwardData(int64_t rows) const {
  return {{dnnl::algorithm::convolution_direct, Big(rows), AnyKernel(), Small(rows), strides_, dilations_,
           pad_before_, pad_behind_},
          attributes_,
          CpuEngine(),
          Forward(rows)};
}

dnnl::convolution_backward_weights::primitive_desc ConvDescriptions::BackwardWeights(int64_t rows) const {
  return {{dnnl::algorithm::convolution_direct, Big(rows), AnyKernel(), Small(rows), strides_, dilations_,
           pad_before_, pad_behind_},
          attributes_,
          CpuEngine(),
          Forward(rows)};
}

int64_t BatchPiece(int64_t rows) {
  int64_t piece = 256;
  while (piece > rows) piece /= 2;
  return piece;
}

}  // namespace espalier::backend
