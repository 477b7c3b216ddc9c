#include "client/job_commands.h"

#include <cstdio>
#include <random>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/job_text.h"

namespace espalier::client {
namespace {

constexpr int kSubmitAttempts = 5;
constexpr int kPageSize = 500;

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
}

std::string MadeUpRequestId() {
  std::random_device device;
  return absl::StrFormat("%08x%08x%08x%08x", device(), device(), device(), device());
}

// One call, tried again while the server is away: the request's id makes that safe.
grpc::Status SubmitUntilHeard(Connection& connection, const v1::SubmitRequest& request,
                              v1::SubmitResponse& response) {
  absl::Duration pause = absl::Milliseconds(200);
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    connection.Prepare(context);
    const grpc::Status status = connection.stub().Submit(&context, request, &response);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || attempt == kSubmitAttempts) return status;
    absl::SleepFor(pause);
    pause *= 2;
  }
}

ExitCode ListJobs(Connection& connection, const JobsArguments& arguments) {
  v1::ListJobsRequest request;
  v1::ListJobsResponse all;
  if (const std::optional<v1::JobState> state = StateOf(arguments.state)) request.set_state(*state);
  while (all.jobs_size() < arguments.limit) {
    request.set_page_size(std::min(kPageSize, arguments.limit - all.jobs_size()));
    grpc::ClientContext context;
    connection.Prepare(context);
    v1::ListJobsResponse page;
    const grpc::Status status = connection.stub().ListJobs(&context, request, &page);
    if (!status.ok()) return ReportError(connection, status);
    for (v1::Job& job : *page.mutable_jobs()) *all.add_jobs() = std::move(job);
    request.set_page_token(page.next_page_token());
    if (page.next_page_token().empty()) break;
  }
  if (!arguments.json) {
    Print(JobTable(all.jobs(), absl::Now()));
    return kDone;
  }
  for (const v1::Job& job : all.jobs()) Print(Json(job));
  return kDone;
}

}  // namespace

ExitCode RunSubmit(Connection& connection, const SubmitArguments& arguments) {
  v1::SubmitRequest request;
  v1::VerifyRequest& verify = *request.mutable_verify();
  request.set_continue_job_id(arguments.continue_job);
  ExitCode sent = kDone;
  if (!arguments.verify.network.empty())
    sent = SendFile(connection, arguments.verify.network, v1::BLOB_KIND_ONNX_MODEL, *verify.mutable_model());
  if (sent == kDone && !arguments.verify.query.empty())
    sent = SendFile(connection, arguments.verify.query, v1::BLOB_KIND_VNNLIB_QUERY, *verify.mutable_query());
  if (sent != kDone) return sent;
  *verify.mutable_options() = arguments.verify.options;
  if (arguments.verify.timeout_s) verify.mutable_options()->set_timeout_s(*arguments.verify.timeout_s);
  verify.set_device(arguments.verify.device);
  request.set_label(arguments.label);
  request.set_request_id(arguments.request_id.empty() ? MadeUpRequestId() : arguments.request_id);
  v1::SubmitResponse response;
  const grpc::Status status = SubmitUntilHeard(connection, request, response);
  if (!status.ok()) return ReportError(connection, status);
  Print(arguments.json ? Json(response) : response.job_id() + "\n");
  return kDone;
}

ExitCode RunCancel(Connection& connection, const CancelArguments& arguments) {
  v1::CancelRequest request;
  request.set_job_id(arguments.job_id);
  grpc::ClientContext context;
  connection.Prepare(context);
  v1::CancelResponse response;
  const grpc::Status status = connection.stub().Cancel(&context, request, &response);
  if (!status.ok()) return ReportError(connection, status);
  const bool stopping = response.state() == v1::JOB_STATE_RUNNING;
  Print(arguments.json ? Json(response) : (stopping ? "stopping" : StateName(response.state())) + "\n");
  return kDone;
}

ExitCode RunJobs(Connection& connection, const JobsArguments& arguments) {
  if (arguments.job_id.empty()) return ListJobs(connection, arguments);
  grpc::ClientContext context;
  connection.Prepare(context);
  grpc::Status status;
  if (arguments.remove) {
    v1::DeleteJobRequest request;
    request.set_job_id(arguments.job_id);
    v1::DeleteJobResponse response;
    status = connection.stub().DeleteJob(&context, request, &response);
    if (status.ok() && arguments.json) Print(Json(response));
  } else {
    v1::GetJobRequest request;
    request.set_job_id(arguments.job_id);
    v1::Job job;
    status = connection.stub().GetJob(&context, request, &job);
    if (status.ok()) Print(arguments.json ? Json(job) : JobText(job));
  }
  return status.ok() ? kDone : ReportError(connection, status);
}

}  // namespace espalier::client
