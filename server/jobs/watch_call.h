// One Watch call: sends a job's events from the JobStore, waits for more, ends after the last one. Owns
// itself until the call is done.
#pragma once

#include <deque>
#include <memory>

#include "espalier/v1/jobs.pb.h"
#include "server/jobs/job_runner.h"
#include "server/stream_call.h"
#include "server/ticket.h"

namespace espalier::server {

class WatchCall : public StreamCall<v1::JobEvent> {
 public:
  // `refused`: not OK when the caller may not see the job.
  static WatchCall* Start(Ticket ticket, JobRunner& jobs, const v1::WatchRequest& request, Failure refused);

 private:
  WatchCall(Ticket ticket, JobRunner& jobs, const v1::WatchRequest& request);
  ~WatchCall() override;

  std::optional<v1::JobEvent> NextEvent(bool failed) override;
  bool AtEnd(Failure& failure) override;
  void OnReaderGone() override {}
  void OnCancel() override;
  void OnEnd(const Failure& failure) override { ticket_.End(failure, {{"job", job_id_}}); }

  const Ticket ticket_;
  JobRunner& jobs_;
  const std::string job_id_;
  int64_t next_;  // number of the next event to read
  // Guarded by the stream's lock.
  std::deque<v1::JobEvent> read_;
  bool finished_ = false;  // the last event was given out
  Failure failure_;
  std::shared_ptr<JobFeed::Subscription> subscription_;
};

}  // namespace espalier::server
