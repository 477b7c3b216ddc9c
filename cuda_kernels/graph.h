// A sequence of kernels that is queued again and again with the same arguments: captured as a CUDA graph the
// first time and replayed as one launch from then on. What changes from one run to the next lies in device
// memory.
//
//   LaunchGraph pass;
//   for (int i = 0; i < passes; ++i) pass.Run(state, [&] { ForElements(state, n, body); ... });
//
// Between two runs nothing that the kernels were given may move. While it is captured, the sequence may
// neither allocate, copy nor wait. Where capture fails, the sequence is queued kernel by kernel, every time.
#pragma once

#include <utility>

#include "absl/functional/function_ref.h"
#include "cuda_kernels/state.h"

namespace espalier::cuda_kernels {

class LaunchGraph {
 public:
  LaunchGraph() = default;
  LaunchGraph(LaunchGraph&& other) noexcept { *this = std::move(other); }
  LaunchGraph& operator=(LaunchGraph&& other) noexcept {
    std::swap(ready_, other.ready_);
    std::swap(kernels_, other.kernels_);
    std::swap(flops_, other.flops_);
    std::swap(plain_, other.plain_);
    return *this;
  }
  ~LaunchGraph();

  void Run(CudaState& state, absl::FunctionRef<void()> queue);

 private:
  bool Capture(CudaState& state, absl::FunctionRef<void()> queue);

  cudaGraphExec_t ready_ = nullptr;
  int64_t kernels_ = 0;
  double flops_ = 0;
  bool plain_ = false;  // capture failed
};

}  // namespace espalier::cuda_kernels
