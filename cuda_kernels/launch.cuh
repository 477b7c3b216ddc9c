// How kernels of this folder are shaped and started. Every launch goes through Launch().
//
//   ForElements(state, count, AddTo<T>{in, out});        // body(i): one thread an element
//   ForGrid(state, {rows, n}, FillFrom<T>{vec, n, out});  // body(r, i): neighbouring threads, neighbouring i
//   ForRows(state, {rows, n}, DotRow<T>{...});            // body(row): the threads of a row work together
//
// A body is a plain struct that travels by value. Each of the three polls the stop token first and does
// nothing after an error. Neighbouring threads of a warp always work on neighbouring elements of a row, which
// are neighbours in memory: that is what makes loads coalesced.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "cuda_kernels/state.h"

namespace espalier::cuda_kernels {

constexpr int kWarp = 32;
constexpr int kBlock = 256;
constexpr int kBlocksOnACore =
    4;  // half the threads of a multiprocessor: 64 registers for each, and no spills

constexpr double kLaunchFlops = 1e8;  // what a small kernel counts for in CudaState::Spend

struct Extent {
  int64_t rows, n;
};

// The threads that share a row, as one of them sees them: a warp, or all of a block.
class RowThreads {
 public:
  __device__ int lane() const { return static_cast<int>(threadIdx.x); }
  __device__ int width() const { return static_cast<int>(blockDim.x); }

  // Orders what the row's threads wrote before what they read afterwards.
  __device__ void Barrier() const {
    if (width() == kWarp) {
      __syncwarp();
    } else {
      __syncthreads();
    }
  }

  // Sum over the row's threads, valid in lane 0; always in the same order. All threads must call it.
  __device__ double Sum(double value) const {
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      value += __shfl_down_sync(0xffffffffu, value, static_cast<unsigned>(offset));
    }
    if (width() == kWarp) return value;
    __shared__ double partial[kBlock / kWarp];
    __syncthreads();  // the last sum has been read
    if (lane() % kWarp == 0) partial[lane() / kWarp] = value;
    __syncthreads();
    double sum = 0;
    for (int warp = 0; lane() == 0 && warp < width() / kWarp; ++warp) sum += partial[warp];
    return sum;
  }
};

// What bodies end with that overwrite or add.
template <class T>
__device__ void Put(T value, bool accumulate, T* out) {
  *out = accumulate ? *out + value : value;
}

template <class Body>
__global__ void __launch_bounds__(kBlock, kBlocksOnACore) ElementsKernel(int64_t count, Body body) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) body(i);
}

template <class Body>
__global__ void __launch_bounds__(kBlock, kBlocksOnACore) GridKernel(Extent extent, Body body) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t down = static_cast<int64_t>(gridDim.y) * blockDim.y;
  for (int64_t r = static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; r < extent.rows; r += down) {
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < extent.n; i += step) {
      body(r, i);
    }
  }
}

// A row never ends in the middle of its threads, so that barriers inside the body are met by all of them.
template <class Body>
__global__ void __launch_bounds__(kBlock, kBlocksOnACore) RowsKernel(int64_t rows, Body body) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (r < rows) body(RowThreads(), r);
}

template <class... Parameters, class... Arguments>
void Launch(CudaState& state, const dim3& grid, const dim3& block, void (*kernel)(Parameters...),
            Arguments&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = state.stream();
  state.Note(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...), "starting a kernel");
  ++state.counts().launches;
  state.Spend(kLaunchFlops);
}

inline unsigned Blocks(int64_t count, int64_t size, int64_t most) {
  return static_cast<unsigned>(std::clamp<int64_t>((count + size - 1) / size, 1, most));
}

template <class Body>
void ForElements(CudaState& state, int64_t count, const Body& body) {
  if (!state.Going() || count <= 0) return;
  Launch(state, dim3(Blocks(count, kBlock, 1 << 20)), dim3(kBlock), ElementsKernel<Body>, count, body);
}

template <class Body>
void ForGrid(CudaState& state, Extent extent, const Body& body) {
  if (!state.Going() || extent.rows <= 0 || extent.n <= 0) return;
  unsigned across = 1;  // threads along the row: narrow rows share a block
  while (across < static_cast<unsigned>(kBlock) && static_cast<int64_t>(across) < extent.n) across *= 2;
  const unsigned down = static_cast<unsigned>(kBlock) / across;
  const dim3 grid(Blocks(extent.n, across, 1 << 16), Blocks(extent.rows, down, 65535));
  Launch(state, grid, dim3(across, down), GridKernel<Body>, extent, body);
}

// A warp for a row that it walks in at most 32 steps, else half or all of a block.
template <class Body>
void ForRows(CudaState& state, Extent extent, const Body& body) {
  if (!state.Going() || extent.rows <= 0) return;
  const unsigned width = extent.n <= 1024 ? kWarp : extent.n <= 8192 ? kBlock / 2 : kBlock;
  const unsigned rows = width == kWarp ? kBlock / kWarp : 1;  // of one block
  const dim3 grid(Blocks(extent.rows, rows, INT32_MAX));
  Launch(state, grid, dim3(width, rows), RowsKernel<Body>, extent.rows, body);
}

}  // namespace espalier::cuda_kernels
