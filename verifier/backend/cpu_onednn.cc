#include "verifier/backend/cpu_onednn.h"

#include <cmath>
#include <cstring>
#include <map>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dnnl.hpp"

namespace espalier::backend {

void SgemmRowMajor(const GemmShape& s, const float* a, const float* b, float* c) {
  if (s.m == 0 || s.n == 0) return;
  dnnl_sgemm('N', s.transpose_b ? 'T' : 'N', s.m, s.n, s.k, 1.0f, a, s.k, b, s.transpose_b ? s.k : s.n,
             s.accumulate ? 1.0f : 0.0f, c, s.n);
}

namespace {

using dnnl::memory;

// oneDNN's engine is a process-wide, immutable description of the processor.
const dnnl::engine& CpuEngine() {
  static const dnnl::engine* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

struct CachedPrimitive {
  dnnl::primitive primitive;
  memory::desc big, small;
  memory weights;
};

int64_t RightPadding(int64_t big, int64_t small, int64_t kernel, int64_t stride, int64_t pad,
                     int64_t dilation) {
  const int64_t reach = (small - 1) * stride + (kernel - 1) * dilation + 1;
  const int64_t padding = reach - big - pad;
  return padding > 0 ? padding : 0;
}

}  // namespace

struct OneDnnConvolution::Impl {
  ir::ConvMap map;
  std::vector<float> kernel;  // [o][i][j][c]
  dnnl::stream stream{CpuEngine()};
  std::map<int64_t, CachedPrimitive> forward, backward;  // by batch size

  memory::desc Big(int64_t rows) const {
    return {{rows, map.big_c, map.big_h, map.big_w}, memory::data_type::f32, memory::format_tag::nhwc};
  }
  memory::desc Small(int64_t rows) const {
    return {{rows, map.small_c, map.small_h, map.small_w}, memory::data_type::f32, memory::format_tag::nhwc};
  }
  memory::desc Kernel(memory::format_tag tag) const {
    return {{map.small_c, map.big_c, map.kernel_h, map.kernel_w}, memory::data_type::f32, tag};
  }

  dnnl::convolution_forward::primitive_desc ForwardDescription(int64_t rows) const {
    dnnl::primitive_attr attributes;
    attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
    const memory::dims right = {
        RightPadding(map.big_h, map.small_h, map.kernel_h, map.stride_h, map.pad_top, map.dilation_h),
        RightPadding(map.big_w, map.small_w, map.kernel_w, map.stride_w, map.pad_left, map.dilation_w)};
    return {{dnnl::prop_kind::forward_inference,
             dnnl::algorithm::convolution_direct,
             Big(rows),
             Kernel(memory::format_tag::any),
             Small(rows),
             {map.stride_h, map.stride_w},
             {map.dilation_h - 1, map.dilation_w - 1},
             {map.pad_top, map.pad_left},
             right},
            attributes,
            CpuEngine()};
  }

  dnnl::convolution_backward_data::primitive_desc BackwardDescription(int64_t rows) const {
    dnnl::primitive_attr attributes;
    attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
    const memory::dims right = {
        RightPadding(map.big_h, map.small_h, map.kernel_h, map.stride_h, map.pad_top, map.dilation_h),
        RightPadding(map.big_w, map.small_w, map.kernel_w, map.stride_w, map.pad_left, map.dilation_w)};
    return {{dnnl::algorithm::convolution_direct,
             Big(rows),
             Kernel(memory::format_tag::any),
             Small(rows),
             {map.stride_h, map.stride_w},
             {map.dilation_h - 1, map.dilation_w - 1},
             {map.pad_top, map.pad_left},
             right},
            attributes,
            CpuEngine(),
            ForwardDescription(rows)};
  }

  memory ReorderedWeights(const memory::desc& wanted) {
    memory plain(Kernel(memory::format_tag::ohwi), CpuEngine(), kernel.data());
    memory target(wanted, CpuEngine());
    dnnl::reorder(plain, target).execute(stream, plain, target);
    stream.wait();
    return target;
  }

  CachedPrimitive& Forward(int64_t rows) {
    auto it = forward.find(rows);
    if (it == forward.end()) {
      const auto description = ForwardDescription(rows);
      it = forward
               .emplace(rows, CachedPrimitive{dnnl::convolution_forward(description), Big(rows), Small(rows),
                                              ReorderedWeights(description.weights_desc())})
               .first;
    }
    return it->second;
  }

  CachedPrimitive& Backward(int64_t rows) {
    auto it = backward.find(rows);
    if (it == backward.end()) {
      const auto description = BackwardDescription(rows);
      it = backward
               .emplace(rows, CachedPrimitive{dnnl::convolution_backward_data(description), Big(rows),
                                              Small(rows), ReorderedWeights(description.weights_desc())})
               .first;
    }
    return it->second;
  }

  int64_t BigSize() const { return map.big_h * map.big_w * map.big_c; }
  int64_t SmallSize() const { return map.small_h * map.small_w * map.small_c; }
};

OneDnnConvolution::OneDnnConvolution(const ir::ConvMap& map, bool absolute)
    : impl_(std::make_unique<Impl>()) {
  impl_->map = map;
  impl_->map.kernel.clear();
  impl_->kernel.reserve(map.kernel.size());
  for (double k : map.kernel) impl_->kernel.push_back(static_cast<float>(absolute ? std::fabs(k) : k));
}

OneDnnConvolution::~OneDnnConvolution() = default;

namespace {

constexpr int64_t kLargestPiece = 256;

// Largest power of two that is not above `rows` and not above kLargestPiece.
int64_t Piece(int64_t rows) {
  int64_t piece = kLargestPiece;
  while (piece > rows) piece /= 2;
  return piece;
}

absl::Status FromOneDnn(const dnnl::error& error) {
  return absl::InternalError(absl::StrCat("oneDNN refused a convolution: ", error.message));
}

}  // namespace

absl::Status OneDnnConvolution::BigToSmall(int64_t rows, const float* big, float* small_out) try {
  Impl& impl = *impl_;
  for (int64_t done = 0; done < rows;) {
    const int64_t piece = Piece(rows - done);
    CachedPrimitive& cached = impl.Forward(piece);
    memory source(cached.big, CpuEngine(), const_cast<float*>(big + done * impl.BigSize()));
    memory target(cached.small, CpuEngine(), small_out + done * impl.SmallSize());
    cached.primitive.execute(
        impl.stream, {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, cached.weights}, {DNNL_ARG_DST, target}});
    done += piece;
  }
  impl.stream.wait();
  return absl::OkStatus();
} catch (const dnnl::error& error) {
  return FromOneDnn(error);
}

absl::Status OneDnnConvolution::SmallToBig(int64_t rows, const float* small, float* big_out) try {
  Impl& impl = *impl_;
  for (int64_t done = 0; done < rows;) {
    const int64_t piece = Piece(rows - done);
    CachedPrimitive& cached = impl.Backward(piece);
    memory source(cached.small, CpuEngine(), const_cast<float*>(small + done * impl.SmallSize()));
    memory target(cached.big, CpuEngine(), big_out + done * impl.BigSize());
    cached.primitive.execute(
        impl.stream,
        {{DNNL_ARG_DIFF_DST, source}, {DNNL_ARG_WEIGHTS, cached.weights}, {DNNL_ARG_DIFF_SRC, target}});
    done += piece;
  }
  impl.stream.wait();
  return absl::OkStatus();
} catch (const dnnl::error& error) {
  return FromOneDnn(error);
}

}  // namespace espalier::backend
