// Runs the jobs of a JobStore on the server's queue, beside the calls.
//
//   JobRunner jobs(core, store, checkpoints);
//   jobs.Recover();                            // queues again what the last server left unfinished
//   jobs.Submit("10.0.0.1", request, response);
//   jobs.Suspend(deadline);                    // at the end: running jobs finish, or go back into the queue
//   on disk
//
// Thread-safe. What a call reports as done is on disk.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/time/time.h"
#include "espalier/v1/jobs.pb.h"
#include "server/core.h"
#include "server/jobs/checkpoint_store.h"
#include "server/jobs/job_feed.h"
#include "server/jobs/job_store.h"
#include "server/ticket.h"
#include "server/verification.h"

namespace espalier::server {

class JobRunner {
 public:
  // All outlive it, and core's queue has ended its tasks before it goes.
  JobRunner(Core& core, JobStore& store, CheckpointStore& checkpoints)
      : core_(core), store_(store), checkpoints_(checkpoints) {}
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  absl::Status Recover();
  Failure Submit(const Ticket& ticket, const v1::SubmitRequest& request, v1::SubmitResponse& response);
  Failure Cancel(const std::string& id, v1::CancelResponse& response);
  // Of a job that has ended.
  Failure Delete(const std::string& id);

  // Takes no more jobs, lets the running ones go on until `deadline`, then stops them; what has no answer by
  // then is queued on disk. Ends every Watch.
  void Suspend(absl::Time deadline);

  JobStore& store() { return store_; }
  JobFeed& feed() { return feed_; }

 private:
  struct ActiveJob;
  using JobPtr = std::shared_ptr<ActiveJob>;

  Failure Admit(const std::string& client) const;
  // Fills in what a request that continues another job leaves to it.
  Failure Inherit(const Ticket& ticket, v1::SubmitRequest& request);
  static void LogJob(const ActiveJob& job, const char* event, const LogFields& more = {});
  void Enqueue(const JobPtr& job);
  void Run(const JobPtr& job);
  v1::JobFinished Outcome(const ActiveJob& job, const Failure& failure, v1::VerifyResult result) const;
  // Forgets a job that has ended, after its last event was written.
  void End(const JobPtr& job, const v1::JobFinished& finished);
  void PutBack(const JobPtr& job);

  Core& core_;
  JobStore& store_;
  CheckpointStore& checkpoints_;
  JobFeed feed_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool suspended_ = false;
  int running_ = 0;
  std::map<std::string, JobPtr> active_;  // by id: queued and running
  std::map<std::string, int> active_of_;  // client -> how many of them
};

}  // namespace espalier::server
