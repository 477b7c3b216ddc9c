// The calls on jobs.
#include <string>

#include "server/client_identity.h"
#include "server/jobs/job_errors.h"
#include "server/jobs/watch_call.h"
#include "server/service.h"
#include "server/unary_call.h"

namespace espalier::server {
namespace {

Failure NoDataDirectory() {
  return {absl::FailedPreconditionError("this server keeps no jobs: it was started without --data-dir"),
          {.reason = "NO_DATA_DIR"}};
}

// A call that reads or writes the job store.
template <typename Work>
grpc::ServerUnaryReactor* StartRecord(const char* rpc, Core& core, JobRunner* jobs,
                                      grpc::CallbackServerContext* context, Work work) {
  return UnaryCall::Start(rpc, core.records(), context, [jobs, work](StopToken) {
    return jobs == nullptr ? NoDataDirectory() : work(*jobs);
  });
}

}  // namespace

grpc::ServerUnaryReactor* Service::Submit(grpc::CallbackServerContext* context,
                                          const v1::SubmitRequest* request, v1::SubmitResponse* response) {
  return StartRecord("Submit", core_, jobs_, context,
                     [client = ClientOf(*context), request, response](JobRunner& jobs) {
                       return jobs.Submit(client, *request, *response);
                     });
}

grpc::ServerWriteReactor<v1::JobEvent>* Service::Watch(grpc::CallbackServerContext* /*context*/,
                                                       const v1::WatchRequest* request) {
  if (jobs_ != nullptr) return WatchCall::Start(*jobs_, *request);
  class Refused final : public StreamCall<v1::JobEvent> {
   public:
    Refused() {
      Complete(NoDataDirectory());
      Open();
    }
    std::optional<v1::JobEvent> NextEvent(bool /*failed*/) override { return std::nullopt; }
    void OnReaderGone() override {}
  };
  return new Refused();
}

grpc::ServerUnaryReactor* Service::Cancel(grpc::CallbackServerContext* context,
                                          const v1::CancelRequest* request, v1::CancelResponse* response) {
  return StartRecord("Cancel", core_, jobs_, context, [request, response](JobRunner& jobs) {
    return jobs.Cancel(request->job_id(), *response);
  });
}

grpc::ServerUnaryReactor* Service::GetJob(grpc::CallbackServerContext* context,
                                          const v1::GetJobRequest* request, v1::Job* response) {
  return StartRecord("GetJob", core_, jobs_, context, [request, response](JobRunner& jobs) -> Failure {
    absl::StatusOr<v1::Job> job = jobs.store().Get(request->job_id());
    if (!job.ok()) return StoreFailure(job.status());
    *response = *std::move(job);
    return {};
  });
}

grpc::ServerUnaryReactor* Service::ListJobs(grpc::CallbackServerContext* context,
                                            const v1::ListJobsRequest* request,
                                            v1::ListJobsResponse* response) {
  return StartRecord("ListJobs", core_, jobs_, context, [request, response](JobRunner& jobs) -> Failure {
    absl::StatusOr<v1::ListJobsResponse> page = jobs.store().List(*request);
    if (!page.ok()) return StoreFailure(page.status());
    *response = *std::move(page);
    return {};
  });
}

grpc::ServerUnaryReactor* Service::DeleteJob(grpc::CallbackServerContext* context,
                                             const v1::DeleteJobRequest* request,
                                             v1::DeleteJobResponse* /*response*/) {
  return StartRecord("DeleteJob", core_, jobs_, context, [request](JobRunner& jobs) {
    return StoreFailure(jobs.store().Delete(request->job_id()));
  });
}

}  // namespace espalier::server
