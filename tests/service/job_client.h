// Calls on jobs, as the tests make them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/service/server_process.h"

namespace espalier::service_test {

v1::SubmitRequest JobOf(const v1::VerifyRequest& verify, const std::string& request_id = "");

// The id; empty and a test failure when it was refused.
std::string Submit(Client& client, const v1::SubmitRequest& request);

struct WatchOutcome {
  grpc::Status status;
  std::vector<v1::JobEvent> events;
  // The last event; default when it was not seen.
  v1::JobFinished finished() const;
};
// Follows a job until its stream ends; `stop_after` > 0: cancels the call after so many events.
WatchOutcome Watch(Client& client, const std::string& job_id, int64_t from = 0, size_t stop_after = 0);

grpc::Status Get(Client& client, const std::string& job_id, v1::Job& job);
// Waits until the job is in this state; false when it does not get there.
bool WaitForState(Client& client, const std::string& job_id, v1::JobState state);
// Waits until the job's search has reported progress; false when it ends without.
bool WaitForProgress(Client& client, const std::string& job_id);

// Whether the events' numbers are first, first + 1, ...
bool Gapless(const std::vector<v1::JobEvent>& events, int64_t first);

}  // namespace espalier::service_test
