#include "server/service.h"

#include "server/describe.h"
#include "server/train_call.h"
#include "server/training_job.h"
#include "server/unary_call.h"
#include "server/upload_call.h"
#include "server/verify_call.h"

namespace espalier::server {

grpc::ServerReadReactor<v1::UploadBlobRequest>* Service::UploadBlob(grpc::CallbackServerContext* /*context*/,
                                                                    v1::UploadBlobResponse* response) {
  return new UploadCall(core_, response);
}

grpc::ServerUnaryReactor* Service::DescribeModel(grpc::CallbackServerContext* context,
                                                 const v1::DescribeModelRequest* request,
                                                 v1::DescribeModelResponse* response) {
  return UnaryCall::Start("DescribeModel", core_.lookups(), context,
                          [this, request, response](StopToken stop) {
                            return core_.engine().Describe(*request, stop, *response);
                          });
}

grpc::ServerUnaryReactor* Service::Evaluate(grpc::CallbackServerContext* context,
                                            const v1::EvaluateRequest* request,
                                            v1::EvaluateResponse* response) {
  return UnaryCall::Start("Evaluate", core_.lookups(), context, [this, request, response](StopToken stop) {
    return core_.engine().Evaluate(*request, stop, *response);
  });
}

grpc::ServerUnaryReactor* Service::Bounds(grpc::CallbackServerContext* context,
                                          const v1::BoundsRequest* request, v1::BoundsResponse* response) {
  return UnaryCall::Start("Bounds", core_.searches(), context, [this, request, response](StopToken stop) {
    return core_.engine().Bounds(*request, stop, *response);
  });
}

grpc::ServerWriteReactor<v1::VerifyEvent>* Service::Verify(grpc::CallbackServerContext* context,
                                                           const v1::VerifyRequest* request) {
  return VerifyCall::Start(core_, context, request);
}

grpc::ServerWriteReactor<v1::TrainEvent>* Service::Train(grpc::CallbackServerContext* context,
                                                         const v1::TrainRequest* request) {
  return TrainCall::Start("Train", core_, context, MakeTrainJob(core_, *request));
}

grpc::ServerWriteReactor<v1::TrainEvent>* Service::Graft(grpc::CallbackServerContext* context,
                                                         const v1::GraftRequest* request) {
  return TrainCall::Start("Graft", core_, context, MakeGraftJob(core_, *request));
}

grpc::ServerWriteReactor<v1::TrainEvent>* Service::Compare(grpc::CallbackServerContext* context,
                                                           const v1::CompareRequest* request) {
  return TrainCall::Start("Compare", core_, context, MakeCompareJob(core_, *request));
}

grpc::ServerUnaryReactor* Service::GetCapabilities(grpc::CallbackServerContext* context,
                                                   const v1::GetCapabilitiesRequest* /*request*/,
                                                   v1::GetCapabilitiesResponse* response) {
  *response = CapabilitiesToProto(core_);
  response->set_jobs(jobs_ != nullptr);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace espalier::server
