#include "server/worker/worker_pool.h"

#include <algorithm>
#include <utility>

#include "server/log.h"

namespace espalier::server {

WorkerPool::WorkerPool(std::vector<std::string> arguments, int idle)
    : arguments_(std::move(arguments)),
      wanted_(static_cast<size_t>(idle)),
      starter_([this] { Replenish(); }) {}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  fewer_.notify_all();
  starter_.join();
}

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerPool::Take(const std::string& model) {
  std::list<std::unique_ptr<WorkerProcess>> ended;  // destroyed without the lock
  std::unique_ptr<WorkerProcess> taken;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = idle_.begin(); it != idle_.end();) {
      const auto worker = it++;
      if ((*worker)->Ended()) ended.splice(ended.end(), idle_, worker);
    }
    auto chosen =
        std::find_if(idle_.begin(), idle_.end(), [&](const auto& w) { return w->last_model == model; });
    if (chosen == idle_.end()) chosen = idle_.begin();
    if (chosen != idle_.end()) {
      taken = std::move(*chosen);
      idle_.erase(chosen);
    }
    ++taken_;
  }
  if (!ended.empty()) fewer_.notify_one();
  if (taken == nullptr) {
    absl::StatusOr<std::unique_ptr<WorkerProcess>> started = WorkerProcess::Start(arguments_);
    if (!started.ok()) {
      Discard(nullptr);
      return started.status();
    }
    taken = *std::move(started);
  }
  taken->last_model = model;
  return taken;
}

void WorkerPool::Return(std::unique_ptr<WorkerProcess> worker, int64_t resident_bytes) {
  if (resident_bytes <= kMaxIdleBytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.size() < wanted_) {
      --taken_;
      idle_.push_back(std::move(worker));
      return;
    }
  }
  Discard(std::move(worker));
}

void WorkerPool::Discard(std::unique_ptr<WorkerProcess> worker) {
  worker.reset();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    --taken_;
  }
  fewer_.notify_one();
}

// A process that is given out comes back, so it is not replaced; one that died is, before the next run asks
// for it.
void WorkerPool::Replenish() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    if (idle_.size() + taken_ >= wanted_) {
      fewer_.wait(lock);
      continue;
    }
    lock.unlock();
    absl::StatusOr<std::unique_ptr<WorkerProcess>> started = WorkerProcess::Start(arguments_);
    lock.lock();
    if (!started.ok()) {
      Log(LogLevel::kError, {{"event", "worker"}, {"error", std::string(started.status().message())}});
      fewer_.wait_for(lock, std::chrono::seconds(1));
      continue;
    }
    idle_.push_back(*std::move(started));
  }
}

}  // namespace espalier::server
