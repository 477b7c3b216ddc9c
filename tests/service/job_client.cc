#include "tests/service/job_client.h"

#include <gtest/gtest.h>

namespace espalier::service_test {

v1::SubmitRequest JobOf(const v1::VerifyRequest& verify, const std::string& request_id) {
  v1::SubmitRequest request;
  *request.mutable_verify() = verify;
  request.set_request_id(request_id);
  return request;
}

std::string Submit(Client& client, const v1::SubmitRequest& request) {
  grpc::ClientContext context;
  v1::SubmitResponse response;
  const grpc::Status status = client.stub().Submit(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.job_id();
}

v1::JobFinished WatchOutcome::finished() const {
  return events.empty() ? v1::JobFinished() : events.back().finished();
}

WatchOutcome Watch(Client& client, const std::string& job_id, int64_t from, size_t stop_after) {
  v1::WatchRequest request;
  request.set_job_id(job_id);
  request.set_from_sequence(from);
  grpc::ClientContext context;
  const auto reader = client.stub().Watch(&context, request);
  WatchOutcome outcome;
  v1::JobEvent event;
  while (reader->Read(&event)) {
    outcome.events.push_back(event);
    if (outcome.events.size() == stop_after) context.TryCancel();
  }
  outcome.status = reader->Finish();
  return outcome;
}

grpc::Status Get(Client& client, const std::string& job_id, v1::Job& job) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  grpc::ClientContext context;
  return client.stub().GetJob(&context, request, &job);
}

bool WaitForState(Client& client, const std::string& job_id, v1::JobState state) {
  v1::Job job;
  return Eventually([&] { return Get(client, job_id, job).ok() && job.state() == state; });
}

bool WaitForProgress(Client& client, const std::string& job_id) {
  v1::WatchRequest request;
  request.set_job_id(job_id);
  grpc::ClientContext context;
  const auto reader = client.stub().Watch(&context, request);
  v1::JobEvent event;
  while (reader->Read(&event)) {
    if (!event.has_progress()) continue;
    context.TryCancel();
    return true;
  }
  return false;
}

bool Gapless(const std::vector<v1::JobEvent>& events, int64_t first) {
  for (const v1::JobEvent& event : events) {
    if (event.sequence() != first++) return false;
  }
  return true;
}

}  // namespace espalier::service_test
