// Jobs and their events on disk. Everything that a function reports as done is on disk when it returns.
//
//   JobStore store(*database);
//   auto job = store.Insert("10.0.0.1", request);        // queued, event 1 written
//   store.Start(job->id);  store.Append(job->id, {event});  store.Finish(job->id, finished);
//   store.Events(job->id, /*from=*/1, /*most=*/100);
//
// Every event gets the next number of its job. Thread-safe. NOT_FOUND for a job that is not held; database
// errors as they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "espalier/v1/jobs.pb.h"
#include "server/jobs/database.h"

namespace espalier::server {

class JobStore {
 public:
  explicit JobStore(Database& database) : database_(database) {}

  // The job that an earlier Insert of the same client with this request_id made; an empty string when there
  // is none.
  absl::StatusOr<std::string> FindRequest(const std::string& client, const std::string& request_id);

  struct Inserted {
    std::string id;
    bool known = false;  // there was one with this request_id
  };
  // `request.verify` names its files by digest.
  absl::StatusOr<Inserted> Insert(const std::string& client, const v1::SubmitRequest& request);

  // Queued -> running. Returns the number of the attempt, from 1.
  absl::StatusOr<int32_t> Start(const std::string& id);
  // Running -> queued; `reason` says why.
  absl::Status Requeue(const std::string& id, const std::string& reason);
  // A running job's events; their numbers and times are set here.
  absl::Status Append(const std::string& id, std::vector<v1::JobEvent> events);
  // Ends the job: the last event, state, result and error in one transaction.
  absl::Status Finish(const std::string& id, const v1::JobFinished& finished);
  // A job that is to be cancelled is not run again after a restart.
  absl::Status MarkCancelled(const std::string& id);

  // With request, result and error.
  absl::StatusOr<v1::Job> Get(const std::string& id);
  // Who submitted it.
  absl::StatusOr<std::string> ClientOf(const std::string& id);
  // Newest first. INVALID_ARGUMENT: page size or token.
  // `client`: whose; empty: everybody's.
  absl::StatusOr<v1::ListJobsResponse> List(const v1::ListJobsRequest& request,
                                            const std::string& client = "");
  // FAILED_PRECONDITION: it has not ended.
  absl::Status Delete(const std::string& id);
  // Those with numbers from `from` on, at most `most`. NOT_FOUND only when the job is not held.
  absl::StatusOr<std::vector<v1::JobEvent>> Events(const std::string& id, int64_t from, int64_t most);

  struct Unfinished {
    std::string id, client;
    bool running = false;    // when the server ended
    bool cancelled = false;  // MarkCancelled
    int32_t attempts = 0;
    v1::VerifyRequest request;
  };
  // Oldest first.
  absl::StatusOr<std::vector<Unfinished>> FindUnfinished();

 private:
  Database& database_;
};

}  // namespace espalier::server
