// The gRPC service: one method per call of proto/espalier/v1/service.proto, stateless over a Core.
#pragma once

#include "espalier/v1/service.grpc.pb.h"
#include "server/core.h"
#include "server/jobs/job_runner.h"

namespace espalier::server {

class Service final : public v1::Espalier::CallbackService {
 public:
  // `jobs` is null in a server without a data directory.
  Service(Core& core, JobRunner* jobs) : core_(core), jobs_(jobs) {}

  grpc::ServerReadReactor<v1::UploadBlobRequest>* UploadBlob(grpc::CallbackServerContext* context,
                                                             v1::UploadBlobResponse* response) override;
  grpc::ServerUnaryReactor* DescribeModel(grpc::CallbackServerContext* context,
                                          const v1::DescribeModelRequest* request,
                                          v1::DescribeModelResponse* response) override;
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
  Core& core_;
  JobRunner* const jobs_;
};

}  // namespace espalier::server
