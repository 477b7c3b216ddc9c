#include "block.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "fiber.h"

thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_host {
namespace {

constexpr unsigned kWarp = 32;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "cuda on host: %s (block %u,%u thread %u,%u)\n", what, blockIdx.x, blockIdx.y,
               threadIdx.x, threadIdx.y);
  std::abort();
}

enum class Wait { kNothing, kForWarp, kForBlock, kEnd };

struct Thread {
  Fiber fiber;
  Wait wait = Wait::kNothing;
  unsigned exchanges = 0;  // values exchanged in the warp so far
};

struct Warp {
  uint64_t slots[2][kWarp];  // exchanged values; two sets, so that one barrier an exchange is enough
};

class BlockRunner {
 public:
  void Run(bool reversed, const std::function<void()>& thread) {
    reversed_ = reversed;
    body_ = &thread;
    const unsigned count = blockDim.x * blockDim.y * blockDim.z;
    while (threads_.size() < count) threads_.push_back(std::make_unique<Thread>());
    warps_.resize((count + kWarp - 1) / kWarp);
    const unsigned warps = (count + kWarp - 1) / kWarp;
    bool waiting = false;
    for (unsigned w = 0; w < warps; ++w) {
      const unsigned first = At(w, warps) * kWarp;
      waiting = StartWarp(first, first + kWarp < count ? first + kWarp : count) || waiting;
    }
    if (waiting) RunFibers(count);
    current_ = nullptr;
  }

  // Called by the current thread.
  void Await(Wait what) {
    if (current_ == nullptr) Fail("a barrier that the warp's first thread did not meet");
    current_->wait = what;
    current_->fiber.Leave();
    Enter(index_);
  }
  // The value that lane `from(own lane)` brought; beyond the warp: the own one.
  template <class From>
  uint64_t Exchange(uint64_t value, From from) {
    if (current_ == nullptr) Fail("an exchange that the warp's first thread did not take part in");
    const unsigned lane = index_ % kWarp, set = current_->exchanges++ % 2;
    Warp& warp = warps_[index_ / kWarp];
    warp.slots[set][lane] = value;
    Await(Wait::kForWarp);
    return from(lane) < kWarp ? warps_[index_ / kWarp].slots[set][from(lane)] : value;
  }

 private:
  unsigned At(unsigned i, unsigned count) const { return reversed_ ? count - 1 - i : i; }
  void Enter(unsigned index) {
    index_ = index;
    threadIdx = dim3(index % blockDim.x, index / blockDim.x % blockDim.y, index / blockDim.x / blockDim.y);
  }
  void Start(unsigned index) {
    Thread& thread = *threads_[index];
    thread.wait = Wait::kNothing;
    thread.exchanges = 0;
    thread.fiber.Start([this] {
      (*body_)();
      current_->wait = Wait::kEnd;
    });
  }
  void Resume(unsigned index) {
    Enter(index);
    current_ = threads_[index].get();
    current_->fiber.Enter();
    current_ = nullptr;
  }

  // True: the warp's first thread met a barrier, and the others are fibers as well. False: all have ended.
  bool StartWarp(unsigned first, unsigned end) {
    const unsigned size = end - first, leader = first + At(0, size);
    Start(leader);
    Resume(leader);
    const bool waits = threads_[leader]->wait != Wait::kEnd;
    for (unsigned i = 1; i < size; ++i) {
      const unsigned index = first + At(i, size);
      if (waits) {
        Start(index);
        continue;
      }
      Enter(index);
      (*body_)();
      threads_[index]->wait = Wait::kEnd;
    }
    return waits;
  }

  // The warp's threads run until all wait for the block or have ended.
  void RunWarp(unsigned first, unsigned end) {
    while (true) {
      unsigned at_warp = 0;
      for (unsigned i = 0; i < end - first; ++i) {
        const unsigned index = first + At(i, end - first);
        if (threads_[index]->wait == Wait::kNothing) Resume(index);
        at_warp += threads_[index]->wait == Wait::kForWarp;
      }
      if (at_warp == 0) return;
      if (at_warp != end - first) Fail("some threads of a warp wait for others that do not come");
      for (unsigned i = first; i < end; ++i) threads_[i]->wait = Wait::kNothing;
    }
  }

  void RunFibers(unsigned count) {
    while (true) {
      unsigned at_block = 0, ended = 0;
      const unsigned warps = (count + kWarp - 1) / kWarp;
      for (unsigned w = 0; w < warps; ++w) {
        const unsigned first = At(w, warps) * kWarp;
        RunWarp(first, first + kWarp < count ? first + kWarp : count);
      }
      for (unsigned i = 0; i < count; ++i) {
        at_block += threads_[i]->wait == Wait::kForBlock;
        ended += threads_[i]->wait == Wait::kEnd;
      }
      if (ended == count) return;
      if (at_block != count) Fail("some threads of a block wait at a barrier while others have ended");
      for (unsigned i = 0; i < count; ++i) threads_[i]->wait = Wait::kNothing;
    }
  }

  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Warp> warps_;
  const std::function<void()>* body_ = nullptr;
  Thread* current_ = nullptr;
  unsigned index_ = 0;
  bool reversed_ = false;
};

BlockRunner& Runner() {
  static thread_local BlockRunner runner;
  return runner;
}

}  // namespace

void RunGrid(const dim3& grid, const dim3& block, bool reversed, const std::function<void()>& thread) {
  gridDim = grid;
  blockDim = block;
  const unsigned blocks = grid.x * grid.y * grid.z;
  BlockRunner& runner = Runner();
  for (unsigned i = 0; i < blocks; ++i) {
    const unsigned at = reversed ? blocks - 1 - i : i;
    blockIdx = dim3(at % grid.x, at / grid.x % grid.y, at / grid.x / grid.y);
    runner.Run(reversed, thread);
  }
}

uint64_t ShuffleDown(uint64_t value, unsigned delta) {
  return Runner().Exchange(value, [delta](unsigned lane) { return lane + delta; });
}

}  // namespace cuda_on_host

void __syncthreads() {
  cuda_on_host::Runner().Await(cuda_on_host::Wait::kForBlock);
}

void __syncwarp(unsigned) {
  cuda_on_host::Runner().Await(cuda_on_host::Wait::kForWarp);
}
