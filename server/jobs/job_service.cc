// The calls on jobs.
#include <string>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_errors.h"
#include "server/jobs/watch_call.h"
#include "server/refused_call.h"
#include "server/service.h"
#include "server/unary_call.h"

namespace espalier::server {
namespace {

Failure NoDataDirectory() {
  return {absl::FailedPreconditionError("this server keeps no jobs: it was started without --data-dir"),
          {.reason = "NO_DATA_DIR"}};
}

Failure NotYours(const std::string& what, const char* field) {
  return {
      absl::PermissionDeniedError(absl::StrCat(what, "; only an administrator of this server may do that")),
      {.reason = "NOT_YOUR_JOB", .field = field}};
}

// Whether the caller may see and change the job: it is its own, or it is an administrator.
Failure CheckOwner(const Ticket& ticket, JobStore& store, const std::string& id) {
  if (ticket.admin) return {};
  const absl::StatusOr<std::string> owner = store.ClientOf(id);
  if (!owner.ok()) return StoreFailure(owner.status());
  return *owner == ticket.client ? Failure() : NotYours("the job belongs to another client", "job_id");
}

}  // namespace

template <typename Work>
grpc::ServerUnaryReactor* Service::StartRecord(const char* method, grpc::CallbackServerContext* context,
                                               Work work) {
  return Admitted<grpc::ServerUnaryReactor>(method, context, [&](Ticket ticket) {
    return UnaryCall::Start(ticket, core_.records(), context, [jobs = jobs_, ticket, work](StopToken) {
      return jobs == nullptr ? NoDataDirectory() : work(ticket, *jobs);
    });
  });
}

// The same for a call about one job.
template <typename Request, typename Work>
grpc::ServerUnaryReactor* Service::StartOnJob(const char* method, grpc::CallbackServerContext* context,
                                              const Request* request, Work work) {
  return StartRecord(method, context, [request, work](const Ticket& ticket, JobRunner& jobs) -> Failure {
    Failure refused = CheckOwner(ticket, jobs.store(), request->job_id());
    return refused.ok() ? work(jobs) : refused;
  });
}

grpc::ServerUnaryReactor* Service::Submit(grpc::CallbackServerContext* context,
                                          const v1::SubmitRequest* request, v1::SubmitResponse* response) {
  return StartRecord("Submit", context, [request, response](const Ticket& ticket, JobRunner& jobs) {
    return jobs.Submit(ticket, *request, *response);
  });
}

grpc::ServerWriteReactor<v1::JobEvent>* Service::Watch(grpc::CallbackServerContext* context,
                                                       const v1::WatchRequest* request) {
  using Reactor = grpc::ServerWriteReactor<v1::JobEvent>;
  return Admitted<Reactor>("Watch", context, [&](Ticket ticket) -> Reactor* {
    if (jobs_ == nullptr) {
      ticket.End(NoDataDirectory());
      return Refuse<Reactor>(NoDataDirectory());
    }
    Failure refused = CheckOwner(ticket, jobs_->store(), request->job_id());
    return WatchCall::Start(std::move(ticket), *jobs_, *request, std::move(refused));
  });
}

grpc::ServerUnaryReactor* Service::Cancel(grpc::CallbackServerContext* context,
                                          const v1::CancelRequest* request, v1::CancelResponse* response) {
  return StartOnJob("Cancel", context, request, [request, response](JobRunner& jobs) {
    return jobs.Cancel(request->job_id(), *response);
  });
}

grpc::ServerUnaryReactor* Service::GetJob(grpc::CallbackServerContext* context,
                                          const v1::GetJobRequest* request, v1::Job* response) {
  return StartOnJob("GetJob", context, request, [request, response](JobRunner& jobs) -> Failure {
    absl::StatusOr<v1::Job> job = jobs.store().Get(request->job_id());
    if (!job.ok()) return StoreFailure(job.status());
    *response = *std::move(job);
    return {};
  });
}

grpc::ServerUnaryReactor* Service::ListJobs(grpc::CallbackServerContext* context,
                                            const v1::ListJobsRequest* request,
                                            v1::ListJobsResponse* response) {
  return StartRecord("ListJobs", context,
                     [request, response](const Ticket& ticket, JobRunner& jobs) -> Failure {
                       const std::string whose = ticket.admin ? "" : ticket.client;
                       absl::StatusOr<v1::ListJobsResponse> page = jobs.store().List(*request, whose);
                       if (!page.ok()) return StoreFailure(page.status());
                       *response = *std::move(page);
                       return {};
                     });
}

grpc::ServerUnaryReactor* Service::DeleteJob(grpc::CallbackServerContext* context,
                                             const v1::DeleteJobRequest* request,
                                             v1::DeleteJobResponse* /*response*/) {
  return StartOnJob("DeleteJob", context, request,
                    [request](JobRunner& jobs) { return jobs.Delete(request->job_id()); });
}

}  // namespace espalier::server
