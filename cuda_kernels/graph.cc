#include "cuda_kernels/graph.h"

namespace espalier::cuda_kernels {

LaunchGraph::~LaunchGraph() {
  if (ready_ != nullptr) cudaGraphExecDestroy(ready_);
}

bool LaunchGraph::Capture(CudaState& state, absl::FunctionRef<void()> queue) {
  if (cudaStreamBeginCapture(state.stream(), cudaStreamCaptureModeThreadLocal) != cudaSuccess) return false;
  state.BeginCapture();
  queue();
  cudaGraph_t graph = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(state.stream(), &graph);
  // False after an error and when the stop token fired on the way: what was captured is not whole.
  bool whole = state.EndCapture(&kernels_, &flops_) && ended == cudaSuccess;
  if (whole) whole = cudaGraphInstantiate(&ready_, graph, 0) == cudaSuccess;
  if (graph != nullptr) cudaGraphDestroy(graph);
  return whole;
}

void LaunchGraph::Run(CudaState& state, absl::FunctionRef<void()> queue) {
  if (!state.Going()) return;
  if (ready_ == nullptr && !plain_ && !Capture(state, queue) && state.Going()) {
    plain_ = true;
    ready_ = nullptr;
    cudaGetLastError();  // of the capture; what is wrong for good shows with the next launch
    ++state.counts().captures_failed;
  }
  if (ready_ == nullptr) return queue();
  ++state.counts().replays;
  state.counts().replayed += kernels_;
  state.Note(cudaGraphLaunch(ready_, state.stream()), "replaying kernels");
  state.Spend(flops_);
}

}  // namespace espalier::cuda_kernels
