// The simulated card: its memory, its streams and how they are run. One card for the process, behind one
// lock.
//
//   cuda_on_host::Behaviour b;  b.schedule = cuda_on_host::Schedule::kPortions;  b.seed = 3;
//   cuda_on_host::Behave(b);            // before the first backend is made
//
// What a wrong program is told: an access outside a buffer (canaries, and AddressSanitizer where it is on),
// an uninitialised number (NaN), a host that reads device memory (closed), a copy that is read before it was
// waited for (queued work runs late), a buffer that is still in use when its pool ends.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "cuda_runtime.h"
#include "summation.h"

namespace cuda_on_host {

enum class Schedule {
  kLate,      // queued work runs when something waits for it
  kEager,     // at once
  kPortions,  // a random part of it runs at every call, streams in random order; threads backwards half the
              // time
};

// What the card's clock goes on by, in seconds: it shows simulated work, and nothing of the processor's time.
struct Clock {
  double launch = 0;                   // for every launch
  double thread = 0;                   // for every thread of it
  int64_t threads = int64_t{1} << 62;  // of one launch that the card's cache serves:
  double cold_thread = 0;              // for every one beyond these, on top
};

struct Behaviour {
  Schedule schedule = Schedule::kLate;
  uint64_t seed = 1;
  bool closed = false;         // device memory cannot be read or written while no work runs
  int64_t memory = 8ll << 30;  // of all cards together
  int devices = 1;
  int driver = 13000;                         // its version; 0: there is none
  Summation summation = Summation::kLibrary;  // of cuBLAS's products
  bool tf32 = false;            // float32 products of shortened factors, as if the library ignored its mode
  bool fail_captures = false;   // graphs cannot be made
  int64_t fail_allocation = 0;  // the allocation of this number, counted from now, finds no memory; 0: none
  int64_t fail_launch = 0;      // the launch of this number, counted from now, fails for good; 0: none does
  Clock clock = {};
  std::string lost_while = {};  // a file: as long as it is there, every launch fails for good
};
// The default comes from the environment: ESPALIER_CUDA_ON_HOST holds words of late, eager, seed=N, closed,
// memory=BYTES, sum=ORDER (summation.h), lost-while=FILE (without blanks).
void Behave(const Behaviour& behaviour);
Behaviour BehaviourFromEnvironment();

struct Counts {
  int64_t launches = 0, waits = 0, allocations = 0, replays = 0;  // launches: also those of replays
};
Counts CountsSoFar();

// The rest is for the runtime's own files.
std::recursive_mutex& DeviceLock();
struct Products {
  Summation order;
  bool tf32;
};
Products HowToMultiply();
cudaError_t Enqueue(Stream* stream, std::function<void()> work);
// Whether [data, data + bytes) lies inside one buffer. Null for no bytes is fine.
bool IsDeviceRange(const void* data, size_t bytes);
[[noreturn]] void Abort(const char* what);

}  // namespace cuda_on_host
