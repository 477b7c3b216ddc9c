#include "device.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "block.h"
#include "card_memory.h"

namespace cuda_on_host {

struct Graph {
  std::vector<std::function<void()>> launches;
};
struct Stream {
  int device = 0;
  std::deque<std::function<void()>> queue;
  Graph* captured = nullptr;  // where launches go instead
};
struct Event {
  bool timed = false;
  Stream* stream = nullptr;  // null: never recorded
  bool passed = true;
  double time = 0;  // on the card's clock
};
struct Pool {
  int64_t live = 0;
};

namespace {

struct Card {
  CardMemory memory;
  Behaviour behaviour = BehaviourFromEnvironment();
  std::mt19937_64 random{behaviour.seed};
  std::vector<Stream*> streams;
  std::map<void*, Pool*> owner;  // of live buffers
  Counts counts;
  int64_t launches_until_failure = 0, allocations_until_failure = 0;
  cudaError_t sticky = cudaSuccess;
  int running = 0;
  double time = 0;  // on its clock

  bool Chance() { return random() % 2 == 0; }
};

thread_local int current_device = 0;

Card& TheCard() {
  static Card* card = new Card;
  return *card;
}

// Memory is open while one of these lives.
class Open {
 public:
  explicit Open(Card& card) : card_(card) {
    if (card_.running++ == 0) card_.memory.SetOpen(true);
  }
  ~Open() {
    if (--card_.running == 0 && card_.behaviour.closed) card_.memory.SetOpen(false);
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

 private:
  Card& card_;
};

void RunOne(Stream* stream) {
  const std::function<void()> work = std::move(stream->queue.front());
  stream->queue.pop_front();
  work();
}

void Drain(Card& card, Stream* stream) {
  const Open open(card);
  while (!stream->queue.empty()) RunOne(stream);
}

// What a real card may have done by now.
void RunPortion(Card& card) {
  if (card.behaviour.schedule == Schedule::kLate) return;
  const Open open(card);
  for (size_t i = 0; i < card.streams.size(); ++i) {
    Stream* stream = card.streams[i];
    if (card.behaviour.schedule == Schedule::kEager) {
      Drain(card, stream);
      continue;
    }
    stream = card.streams[card.random() % card.streams.size()];
    for (uint64_t left = card.Chance() ? 0 : card.random() % 8; left > 0 && !stream->queue.empty(); --left) {
      RunOne(stream);
    }
  }
}

// A card would end the capture with an error; here it is the test that ends.
void NotInCapture(const Card& card, const char* call) {
  for (const Stream* stream : card.streams) {
    if (stream->captured != nullptr) Abort((std::string(call) + " while a graph is captured").c_str());
  }
}

void CountLaunch(Card& card) {
  ++card.counts.launches;
  const bool counted_down = card.launches_until_failure > 0 && --card.launches_until_failure == 0;
  const std::string& broken = card.behaviour.lost_while;
  if (counted_down || (!broken.empty() && access(broken.c_str(), F_OK) == 0))
    card.sticky = cudaErrorLaunchFailure;
}

cudaError_t Answer(Card& card, cudaError_t error = cudaSuccess) {
  return card.sticky != cudaSuccess ? card.sticky : error;
}

using Lock = std::lock_guard<std::recursive_mutex>;

}  // namespace

void Abort(const char* what) {
  std::fprintf(stderr, "cuda on host: %s\n", what);
  std::abort();
}

std::recursive_mutex& DeviceLock() {
  static auto* lock = new std::recursive_mutex;
  return *lock;
}

void Behave(const Behaviour& behaviour) {
  const Lock lock(DeviceLock());
  Card& card = TheCard();
  card.behaviour = behaviour;
  card.random.seed(behaviour.seed);
  card.launches_until_failure = behaviour.fail_launch;
  card.allocations_until_failure = behaviour.fail_allocation;
  card.sticky = cudaSuccess;
  card.memory.SetOpen(!behaviour.closed);
}

Behaviour BehaviourFromEnvironment() {
  Behaviour behaviour;
  const char* const words = std::getenv("ESPALIER_CUDA_ON_HOST");
  std::istringstream in(words == nullptr ? "" : words);
  for (std::string word; in >> word;) {
    const size_t end = word.find('=');
    const std::string name = word.substr(0, end),
                      value = end == std::string::npos ? "" : word.substr(end + 1);
    if (name == "eager") behaviour.schedule = Schedule::kEager;
    if (name == "seed") {
      behaviour.schedule = Schedule::kPortions;
      behaviour.seed = std::stoull(value);
    }
    if (name == "closed") behaviour.closed = true;
    if (name == "memory") behaviour.memory = std::stoll(value);
    if (name == "lost-while") behaviour.lost_while = value;
    for (const NamedSummation& summation : AllSummations()) {
      if (name == "sum" && value == summation.name) behaviour.summation = summation.order;
    }
  }
  return behaviour;
}

Counts CountsSoFar() {
  const Lock lock(DeviceLock());
  return TheCard().counts;
}

Products HowToMultiply() {
  const Lock lock(DeviceLock());
  return {TheCard().behaviour.summation, TheCard().behaviour.tf32};
}

cudaError_t Enqueue(Stream* stream, std::function<void()> work) {
  const Lock lock(DeviceLock());
  Card& card = TheCard();
  if (card.sticky != cudaSuccess) return card.sticky;
  if (stream->captured != nullptr) {
    stream->captured->launches.push_back(std::move(work));
    return cudaSuccess;
  }
  stream->queue.push_back(std::move(work));
  RunPortion(card);
  return Answer(card);
}

bool IsDeviceRange(const void* data, size_t bytes) {
  return TheCard().memory.Contains(data, bytes);
}

cudaError_t EnqueueKernel(const cudaLaunchConfig_t& config, std::function<void()> thread) {
  const Lock lock(DeviceLock());
  Card& card = TheCard();
  const dim3 grid = config.gridDim, block = config.blockDim;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > 1024 || grid.x == 0 || grid.x > 0x7fffffffu || grid.y == 0 ||
      grid.y > 65535 || grid.z == 0 || grid.z > 65535) {
    return cudaErrorInvalidConfiguration;
  }
  if (config.stream->device != current_device) return cudaErrorInvalidValue;
  if (config.stream->captured == nullptr) CountLaunch(card);
  const bool reversed = card.behaviour.schedule == Schedule::kPortions && card.Chance();
  const auto all = static_cast<int64_t>(threads * grid.x * grid.y * grid.z);
  return Enqueue(config.stream, [grid, block, reversed, all, thread = std::move(thread)] {
    RunGrid(grid, block, reversed, thread);
    const Clock& clock = TheCard().behaviour.clock;
    TheCard().time += clock.launch + clock.thread * static_cast<double>(all) +
                      clock.cold_thread * static_cast<double>(std::max<int64_t>(0, all - clock.threads));
  });
}

}  // namespace cuda_on_host

using cuda_on_host::Answer;
using cuda_on_host::Card;
using cuda_on_host::CountLaunch;
using cuda_on_host::DeviceLock;
using cuda_on_host::Lock;
using cuda_on_host::NotInCapture;
using cuda_on_host::Open;
using cuda_on_host::TheCard;

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess                 ? "no error"
         : error == cudaErrorMemoryAllocation ? "out of memory"
         : error == cudaErrorLaunchFailure    ? "unspecified launch failure"
         : error == cudaErrorInvalidValue     ? "invalid argument"
         : error == cudaErrorInvalidDevice    ? "invalid device ordinal"
                                              : "another error";
}
cudaError_t cudaGetLastError() {
  return TheCard().sticky;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = TheCard().behaviour.driver;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = TheCard().behaviour.devices;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= TheCard().behaviour.devices) return cudaErrorInvalidDevice;
  *properties = {};
  std::strcpy(properties->name, "host execution");
  properties->totalGlobalMem = static_cast<size_t>(TheCard().behaviour.memory);
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= TheCard().behaviour.devices) return cudaErrorInvalidDevice;
  cuda_on_host::current_device = device;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  const Lock lock(DeviceLock());
  Card& card = TheCard();
  *total = static_cast<size_t>(card.behaviour.memory);
  *available = static_cast<size_t>(card.behaviour.memory - card.memory.in_use());
  return Answer(card);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Lock lock(DeviceLock());
  *stream = new cuda_on_host::Stream{cuda_on_host::current_device, {}};
  TheCard().streams.push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(DeviceLock());
  NotInCapture(TheCard(), "waiting for a stream");
  ++TheCard().counts.waits;
  cuda_on_host::Drain(TheCard(), stream);
  return Answer(TheCard());
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(DeviceLock());
  Card& card = TheCard();
  cuda_on_host::Drain(card, stream);
  std::erase(card.streams, stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = new cuda_on_host::Event{.timed = (flags & cudaEventDisableTiming) == 0};
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(DeviceLock());
  NotInCapture(TheCard(), "recording an event");
  event->stream = stream;
  event->passed = false;
  return cuda_on_host::Enqueue(stream, [event] {
    event->passed = true;
    event->time = TheCard().time;
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(DeviceLock());
  NotInCapture(TheCard(), "waiting for an event");
  ++TheCard().counts.waits;
  const Open open(TheCard());
  while (!event->passed && !event->stream->queue.empty()) cuda_on_host::RunOne(event->stream);
  return Answer(TheCard());
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  const Lock lock(DeviceLock());
  for (const cudaEvent_t event : {from, to}) {
    if (!event->timed || event->stream == nullptr || !event->passed) return cudaErrorInvalidResourceHandle;
  }
  *milliseconds = static_cast<float>(1e3 * (to->time - from->time));
  return Answer(TheCard());
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) {
  *pool = new cuda_on_host::Pool;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) {
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) {
  return cudaSuccess;
}
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  if (pool->live != 0) cuda_on_host::Abort("a pool ends while buffers of it are in use");
  delete pool;
  return cudaSuccess;
}
cudaError_t cudaMallocFromPoolAsync(void** data, size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  const Lock lock(DeviceLock());
  Card& card = TheCard();
  NotInCapture(card, "allocating");
  if (card.sticky != cudaSuccess) return card.sticky;
  if (card.allocations_until_failure != 0 && --card.allocations_until_failure <= 0) {
    // Twice: whoever asks again after giving back what it can is told the same.
    if (card.allocations_until_failure < 0)
      card.allocations_until_failure = 0;
    else
      card.allocations_until_failure = -1;
    return cudaErrorMemoryAllocation;
  }
  const Open open(card);
  *data = card.memory.Allocate(bytes, card.behaviour.memory);
  if (*data == nullptr) {  // what is queued may give some back
    cuda_on_host::Drain(card, stream);
    *data = card.memory.Allocate(bytes, card.behaviour.memory);
  }
  if (*data == nullptr) return cudaErrorMemoryAllocation;
  ++card.counts.allocations;
  ++pool->live;
  card.owner[*data] = pool;
  return cudaSuccess;
}
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  const Lock lock(DeviceLock());
  Card& card = TheCard();
  NotInCapture(card, "freeing");
  const auto owner = card.owner.find(data);
  if (owner == card.owner.end()) cuda_on_host::Abort("a buffer that is none was freed");
  --owner->second->live;
  card.owner.erase(owner);
  const auto release = [data] {
    const Open open(TheCard());
    TheCard().memory.Free(data);
  };
  const cudaError_t error = cuda_on_host::Enqueue(stream, release);
  if (error != cudaSuccess) release();
  return error;
}

cudaError_t cudaMallocHost(void** data, size_t bytes) {
  *data = std::malloc(bytes);
  if (*data == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*data, 0xff, bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const Lock lock(DeviceLock());
  NotInCapture(TheCard(), "copying");  // staging memory has other bytes in it at every replay
  const bool from_device = kind != cudaMemcpyHostToDevice, to_device = kind != cudaMemcpyDeviceToHost;
  const auto right = [bytes](const void* data, bool device) {
    return bytes == 0 || cuda_on_host::IsDeviceRange(data, bytes) == device;
  };
  if (!right(from, from_device) || !right(to, to_device)) return cudaErrorInvalidValue;
  return cuda_on_host::Enqueue(stream, [=] { std::memcpy(to, from, bytes); });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Lock lock(DeviceLock());
  NotInCapture(TheCard(), "capturing");
  if (TheCard().sticky != cudaSuccess) return TheCard().sticky;
  stream->captured = new cuda_on_host::Graph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Lock lock(DeviceLock());
  *graph = std::exchange(stream->captured, nullptr);
  if (!TheCard().behaviour.fail_captures) return Answer(TheCard());
  delete std::exchange(*graph, nullptr);
  return cudaErrorStreamCaptureInvalidated;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* ready, cudaGraph_t graph, unsigned long long) {
  *ready = new cuda_on_host::Graph(*graph);
  return Answer(TheCard());
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t stream) {
  const Lock lock(DeviceLock());
  Card& card = TheCard();
  NotInCapture(card, "replaying");
  ++card.counts.replays;
  for (const std::function<void()>& launch : ready->launches) {
    CountLaunch(card);
    const cudaError_t error = cuda_on_host::Enqueue(stream, launch);
    if (error != cudaSuccess) return error;
  }
  return Answer(card);
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t ready) {
  delete ready;
  return cudaSuccess;
}
