// Runs the instances of a batch: one thread per slot, each with one instance at a time on its server.
//
// - A private server belongs to one slot. When it crashes, the instance that ran there fails, and a new
//   server takes the next one.
// - A named server that goes away gives its instances back, for the others or for itself when it returns. An
//   instance under which servers go away again and again fails.
// - A full queue is waited for. A wrong option ends the batch: every instance would fail of it.
//
//   Runner runner(instances, settings, observer);
//   BatchEnd end = runner.Run(tasks);
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/batch/instance_call.h"
#include "client/batch/instance_queue.h"
#include "client/exit_code.h"

namespace espalier::client {

struct RunnerSettings {
  std::vector<std::string> servers;        // addresses; empty: private ones
  Credentials credentials;                 // for them
  int jobs = 1;                            // instances at a time: on each named server, or private servers
  std::vector<std::string> private_flags;  // of private servers
  v1::Options options;                     // without the time limit
  std::string device;
  double patience_s = 10;  // how long no named server at all may answer
};

// What the runner tells, from several threads at a time.
class BatchObserver {
 public:
  virtual ~BatchObserver() = default;
  virtual void Started(size_t slot, const Instance& instance, const std::string& server) = 0;
  virtual void Progressed(size_t slot, const v1::Progress& progress) = 0;
  virtual void GivenBack(size_t slot) = 0;  // the instance that was started will run again
  // `instance`: its place in the list. An error ends the batch.
  virtual absl::Status Finished(size_t slot, size_t instance, InstanceRecord record) = 0;
  virtual void Said(const std::string& message) = 0;
  virtual void Ticked() = 0;  // ten times a second, from the thread that called Run
};

struct BatchEnd {
  bool interrupted = false;
  ExitCode code = kDone;  // otherwise why not all instances were run
  std::string reason = {};
};

class Runner {
 public:
  Runner(const std::vector<Instance>& instances, RunnerSettings settings, BatchObserver& observer)
      : instances_(instances), settings_(std::move(settings)), observer_(observer) {}

  // Once.
  BatchEnd Run(std::deque<Task> tasks);
  // Cancels what runs; Run returns soon. From any thread, also before Run.
  void Interrupt();

 private:
  struct Slot {
    size_t index = 0;
    std::shared_ptr<ServerLink> link;
    LoadedFilePtr model = nullptr;  // of its last instance
    InstanceCall* call = nullptr;   // that runs; under mutex_
    bool said_down = false;
  };

  void MakeSlots(size_t most);
  void RunSlot(Slot& slot);
  bool WaitForServer(Slot& slot);  // false: the batch has ended
  bool PatienceIsOver();
  void RunTask(Slot& slot, Task task);
  Attempt Call(Slot& slot, const Task& task, InstanceRecord& record);
  void Finish(Slot& slot, const Task& task, InstanceRecord record);
  void Stop(ExitCode code, const std::string& reason);
  void CancelCalls();  // requires mutex_

  const std::vector<Instance>& instances_;
  const RunnerSettings settings_;
  BatchObserver& observer_;
  FileCache models_;
  std::unique_ptr<InstanceQueue> queue_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::mutex mutex_;  // of what follows
  BatchEnd end_;
  absl::Time last_up_;  // when a named server was last known to answer
  size_t running_slots_ = 0;
};

}  // namespace espalier::client
