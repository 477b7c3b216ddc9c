#include "client/batch/runner.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace espalier::client {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);
constexpr absl::Duration kServerRetry = absl::Milliseconds(500);

// Servers that went away under one instance, until it is given up. One that dies at the very beginning of a
// call may just have been away, and weighs less.
constexpr int kLostWhileRunning = 2, kLostBefore = 1, kMostLosses = 6;

}  // namespace

void Runner::MakeSlots(size_t most) {
  std::vector<std::shared_ptr<ServerLink>> named;
  for (const std::string& address : settings_.servers)
    named.push_back(std::make_shared<ServerLink>(address, settings_.credentials, std::vector<std::string>()));
  const size_t servers = std::max<size_t>(1, named.size());
  const size_t count = std::min(most, servers * static_cast<size_t>(settings_.jobs));
  for (size_t i = 0; i < count; ++i) {
    // Servers in turn, so that few instances spread over all of them.
    slots_.push_back(std::make_unique<Slot>(
        Slot{.index = i,
             .link = named.empty() ? std::make_shared<ServerLink>("", Credentials(), settings_.private_flags)
                                   : named[i % named.size()]}));
  }
}

BatchEnd Runner::Run(std::deque<Task> tasks) {
  std::vector<std::thread> threads;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (end_.interrupted) return end_;
    MakeSlots(tasks.size());
    queue_ = std::make_unique<InstanceQueue>(std::move(tasks));
    last_up_ = absl::Now();
    running_slots_ = slots_.size();
  }
  for (const std::unique_ptr<Slot>& slot : slots_) {
    threads.emplace_back([this, &slot] {
      RunSlot(*slot);
      std::lock_guard<std::mutex> lock(mutex_);
      --running_slots_;
    });
  }
  const auto running = [this] {
    std::lock_guard<std::mutex> lock(mutex_);
    return running_slots_ > 0;
  };
  while (running()) {
    observer_.Ticked();
    // An ended queue does not sleep, but a slot may still be on its way out.
    if (queue_->Sleep(kTick)) absl::SleepFor(absl::Milliseconds(1));
  }
  for (std::thread& thread : threads) thread.join();
  std::lock_guard<std::mutex> lock(mutex_);
  return end_;
}

void Runner::CancelCalls() {
  if (queue_ != nullptr) queue_->Stop();
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot->call != nullptr) slot->call->Cancel();
  }
}

void Runner::Interrupt() {
  std::lock_guard<std::mutex> lock(mutex_);
  end_.interrupted = true;
  CancelCalls();
}

void Runner::Stop(ExitCode code, const std::string& reason) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (end_.code == kDone) end_ = {.interrupted = end_.interrupted, .code = code, .reason = reason};
  CancelCalls();
}

bool Runner::PatienceIsOver() {
  const bool any_up =
      std::any_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->link->up(); });
  std::lock_guard<std::mutex> lock(mutex_);
  if (any_up) last_up_ = absl::Now();
  return absl::Now() - last_up_ > absl::Seconds(settings_.patience_s);
}

bool Runner::WaitForServer(Slot& slot) {
  const auto say = [&](const char* what) {
    observer_.Said(absl::StrCat("server ", slot.link->name(), " ", what));
    slot.said_down = !slot.said_down;
  };
  while (!queue_->Sleep(absl::ZeroDuration())) {
    const absl::Status ready = slot.link->Ready();
    if (ready.ok()) {
      if (slot.said_down) say("answers again");
      return true;
    }
    const std::string why(ready.message());
    if (slot.link->is_private()) {
      Stop(kUnreachable, why);
    } else if (PatienceIsOver()) {
      Stop(kUnreachable, absl::StrCat("no server answers: ", why));
    } else if (!slot.said_down) {
      say("does not answer");
    }
    queue_->Sleep(kServerRetry);
  }
  return false;
}

void Runner::RunSlot(Slot& slot) {
  while (WaitForServer(slot)) {
    const std::optional<Task> task = queue_->Take();
    if (!task) return;
    RunTask(slot, *task);
  }
}

void Runner::RunTask(Slot& slot, Task task) {
  const Instance& instance = instances_[task.instance];
  observer_.Started(slot.index, instance, slot.link->name());
  InstanceRecord record = RecordOf(instance, task.timeout_s, task.occurrence);
  record.server = slot.link->name();
  const Attempt attempt = Call(slot, task, record);
  if (attempt.kind == Attempt::Kind::kDone) return Finish(slot, task, std::move(record));
  if (attempt.kind == Attempt::Kind::kWrongOption) Stop(kBadInput, attempt.reason);
  if (attempt.kind == Attempt::Kind::kServerLost) {
    slot.link->Lost();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      last_up_ = absl::Now();
    }
    task.losses += attempt.accepted ? kLostWhileRunning : kLostBefore;
    if (task.losses >= kMostLosses) {
      SetError("server lost", "servers went away again and again while this instance ran", record);
      return Finish(slot, task, std::move(record));
    }
  }
  observer_.GivenBack(slot.index);
  queue_->PutBack(task);
  if (attempt.kind == Attempt::Kind::kServerFull) queue_->Sleep(absl::Seconds(attempt.retry_delay_s));
}

Attempt Runner::Call(Slot& slot, const Task& task, InstanceRecord& record) {
  InstanceCall call(*slot.link, settings_.options, settings_.device,
                    [&](const v1::Progress& progress) { observer_.Progressed(slot.index, progress); });
  {
    std::lock_guard<std::mutex> lock(mutex_);
    slot.call = &call;
    if (end_.interrupted || end_.code != kDone) call.Cancel();
  }
  const Attempt attempt = call.Run(instances_[task.instance], models_, slot.model, record);
  std::lock_guard<std::mutex> lock(mutex_);
  slot.call = nullptr;
  return attempt;
}

void Runner::Finish(Slot& slot, const Task& task, InstanceRecord record) {
  if (record.processor.empty()) record.processor = slot.link->processor();
  const absl::Status kept = observer_.Finished(slot.index, task.instance, std::move(record));
  if (!kept.ok()) Stop(kBadInput, std::string(kept.message()));
  queue_->Finish();
}

}  // namespace espalier::client
