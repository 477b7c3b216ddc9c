// A convolution in oneDNN's terms: descriptions of its images and of its three products, shared by bounding
// and training. Channels-last images, strict floating-point mode. Functions throw dnnl::error; see
// CatchOneDnn.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "dnnl.hpp"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {

// oneDNN's engine is a process-wide, immutable description of the processor.
const dnnl::engine& CpuEngine();

class ConvDescriptions {
 public:
  // The kernel's coefficients are not kept.
  explicit ConvDescriptions(const ir::ConvMap& map);

  int64_t big_size() const { return map_.big_h * map_.big_w * map_.big_c; }
  int64_t small_size() const { return map_.small_h * map_.small_w * map_.small_c; }

  dnnl::memory::desc Big(int64_t rows) const;
  dnnl::memory::desc Small(int64_t rows) const;
  // [small_c][kernel_h][kernel_w][big_c], ir::ConvMap's own layout.
  dnnl::memory::desc Kernel() const;

  // Big to small, small to big, and both to the kernel; each chooses its own layout of the kernel.
  dnnl::convolution_forward::primitive_desc Forward(int64_t rows) const;
  dnnl::convolution_backward_data::primitive_desc BackwardData(int64_t rows) const;
  dnnl::convolution_backward_weights::primitive_desc BackwardWeights(int64_t rows) const;

 private:
  dnnl::memory::desc Image(int64_t rows, int64_t h, int64_t w, int64_t channels) const;
  dnnl::memory::desc AnyKernel() const;

  ir::ConvMap map_;
  dnnl::memory::dims strides_, dilations_, pad_before_, pad_behind_;
  dnnl::primitive_attr attributes_;
};

// Largest power of two that is neither above `rows` nor above 256: batches of any size are cut into such
// pieces, so that at most a handful of primitives per map is ever created.
int64_t BatchPiece(int64_t rows);

// run() with oneDNN's exceptions turned into INTERNAL.
template <class Run>
absl::Status CatchOneDnn(Run run) {
  try {
    return run();
  } catch (const dnnl::error& error) {
    return absl::InternalError(std::string("oneDNN refused a convolution: ") + error.message);
  }
}

}  // namespace espalier::backend
