// The gRPC service: one method per call of proto/espalier/v1/service.proto, stateless over a Core. Each of
// them passes the Gate first.
#pragma once

#include <utility>

#include "espalier/v1/service.grpc.pb.h"
#include "server/core.h"
#include "server/jobs/job_runner.h"
#include "server/refused_call.h"
#include "server/security/gate.h"

namespace espalier::server {

class Service final : public v1::Espalier::CallbackService {
 public:
  // `jobs` is null in a server without a data directory. Everything outlives the service.
  Service(Core& core, const Gate& gate, JobRunner* jobs) : core_(core), gate_(gate), jobs_(jobs) {}

  grpc::ServerReadReactor<v1::UploadBlobRequest>* UploadBlob(grpc::CallbackServerContext* context,
                                                             v1::UploadBlobResponse* response) override;
  grpc::ServerUnaryReactor* DescribeModel(grpc::CallbackServerContext* context,
                                          const v1::DescribeModelRequest* request,
                                          v1::DescribeModelResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
                                     v1::StoredModel* response) override;
  grpc::ServerUnaryReactor* DeleteModel(grpc::CallbackServerContext* context,
                                        const v1::DeleteModelRequest* request,
                                        v1::DeleteModelResponse* response) override;
  grpc::ServerUnaryReactor* Evaluate(grpc::CallbackServerContext* context, const v1::EvaluateRequest* request,
                                     v1::EvaluateResponse* response) override;
  grpc::ServerUnaryReactor* Bounds(grpc::CallbackServerContext* context, const v1::BoundsRequest* request,
                                   v1::BoundsResponse* response) override;
  grpc::ServerWriteReactor<v1::VerifyEvent>* Verify(grpc::CallbackServerContext* context,
                                                    const v1::VerifyRequest* request) override;
  grpc::ServerWriteReactor<v1::TrainEvent>* Train(grpc::CallbackServerContext* context,
                                                  const v1::TrainRequest* request) override;
  grpc::ServerWriteReactor<v1::TrainEvent>* Graft(grpc::CallbackServerContext* context,
                                                  const v1::GraftRequest* request) override;
  grpc::ServerWriteReactor<v1::TrainEvent>* Compare(grpc::CallbackServerContext* context,
                                                    const v1::CompareRequest* request) override;
  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context, const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* Watch(grpc::CallbackServerContext* context,
                                                const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context, const v1::CancelRequest* request,
                                   v1::CancelResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context, const v1::GetJobRequest* request,
                                   v1::Job* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context, const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteJob(grpc::CallbackServerContext* context,
                                      const v1::DeleteJobRequest* request,
                                      v1::DeleteJobResponse* response) override;
  grpc::ServerUnaryReactor* GetCapabilities(grpc::CallbackServerContext* context,
                                            const v1::GetCapabilitiesRequest* request,
                                            v1::GetCapabilitiesResponse* response) override;

 private:
  // The call that `start` makes of the caller's ticket, or a refused one.
  template <typename Reactor, typename Start>
  Reactor* Admitted(const char* method, grpc::CallbackServerContext* context, Start start) {
    Ticket ticket(method, core_.counters());
    if (Failure refused = gate_.Admit(*context, ticket); !refused.ok()) {
      ticket.End(refused);
      return Refuse<Reactor>(refused);
    }
    return start(std::move(ticket));
  }
  // An admitted call that reads or writes the job store: `work(ticket, jobs)`.
  template <typename Work>
  grpc::ServerUnaryReactor* StartRecord(const char* method, grpc::CallbackServerContext* context, Work work);
  // The same about the job that the request names, which has to be the caller's: `work(jobs)`.
  template <typename Request, typename Work>
  grpc::ServerUnaryReactor* StartOnJob(const char* method, grpc::CallbackServerContext* context,
                                       const Request* request, Work work);

  Core& core_;
  const Gate& gate_;
  JobRunner* const jobs_;
};

}  // namespace espalier::server
