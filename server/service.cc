#include "server/service.h"

#include "absl/strings/str_cat.h"
#include "server/describe.h"
#include "server/train_call.h"
#include "server/training_job.h"
#include "server/unary_call.h"
#include "server/upload_call.h"
#include "server/verify_call.h"

namespace espalier::server {

using TrainReactor = grpc::ServerWriteReactor<v1::TrainEvent>;

grpc::ServerReadReactor<v1::UploadBlobRequest>* Service::UploadBlob(grpc::CallbackServerContext* context,
                                                                    v1::UploadBlobResponse* response) {
  using Reactor = grpc::ServerReadReactor<v1::UploadBlobRequest>;
  return Admitted<Reactor>("UploadBlob", context,
                           [&](Ticket ticket) { return new UploadCall(std::move(ticket), core_, response); });
}

grpc::ServerUnaryReactor* Service::DescribeModel(grpc::CallbackServerContext* context,
                                                 const v1::DescribeModelRequest* request,
                                                 v1::DescribeModelResponse* response) {
  return Admitted<grpc::ServerUnaryReactor>("DescribeModel", context, [&](Ticket ticket) {
    return UnaryCall::Start(std::move(ticket), core_.lookups(), context,
                            [this, request, response](StopToken stop) {
                              return core_.engine().Describe(*request, stop, *response);
                            });
  });
}

grpc::ServerUnaryReactor* Service::Evaluate(grpc::CallbackServerContext* context,
                                            const v1::EvaluateRequest* request,
                                            v1::EvaluateResponse* response) {
  return Admitted<grpc::ServerUnaryReactor>("Evaluate", context, [&](Ticket ticket) {
    return UnaryCall::Start(std::move(ticket), core_.lookups(), context,
                            [this, request, response](StopToken stop) {
                              return core_.engine().Evaluate(*request, stop, *response);
                            });
  });
}

grpc::ServerUnaryReactor* Service::Bounds(grpc::CallbackServerContext* context,
                                          const v1::BoundsRequest* request, v1::BoundsResponse* response) {
  return Admitted<grpc::ServerUnaryReactor>("Bounds", context, [&](Ticket ticket) {
    return UnaryCall::Start(std::move(ticket), core_.searches(), context,
                            [this, request, response](StopToken stop) {
                              return core_.engine().Bounds(*request, stop, *response);
                            });
  });
}

grpc::ServerWriteReactor<v1::VerifyEvent>* Service::Verify(grpc::CallbackServerContext* context,
                                                           const v1::VerifyRequest* request) {
  using Reactor = grpc::ServerWriteReactor<v1::VerifyEvent>;
  return Admitted<Reactor>("Verify", context, [&](Ticket ticket) {
    return VerifyCall::Start(std::move(ticket), core_, context, request);
  });
}

grpc::ServerWriteReactor<v1::TrainEvent>* Service::Train(grpc::CallbackServerContext* context,
                                                         const v1::TrainRequest* request) {
  return Admitted<TrainReactor>("Train", context, [&](Ticket ticket) {
    return TrainCall::Start(std::move(ticket), core_, context, MakeTrainJob(core_, *request));
  });
}

grpc::ServerWriteReactor<v1::TrainEvent>* Service::Graft(grpc::CallbackServerContext* context,
                                                         const v1::GraftRequest* request) {
  return Admitted<TrainReactor>("Graft", context, [&](Ticket ticket) {
    return TrainCall::Start(std::move(ticket), core_, context, MakeGraftJob(core_, *request));
  });
}

grpc::ServerWriteReactor<v1::TrainEvent>* Service::Compare(grpc::CallbackServerContext* context,
                                                           const v1::CompareRequest* request) {
  return Admitted<TrainReactor>("Compare", context, [&](Ticket ticket) {
    return TrainCall::Start(std::move(ticket), core_, context, MakeCompareJob(core_, *request));
  });
}

grpc::ServerUnaryReactor* Service::GetCapabilities(grpc::CallbackServerContext* context,
                                                   const v1::GetCapabilitiesRequest* /*request*/,
                                                   v1::GetCapabilitiesResponse* response) {
  return Admitted<grpc::ServerUnaryReactor>("GetCapabilities", context, [&](Ticket ticket) {
    *response = CapabilitiesToProto(core_);
    response->set_jobs(jobs_ != nullptr);
    // By this a client chooses between several servers.
    const WorkQueue::Load load = core_.searches().load();
    context->AddInitialMetadata("espalier-load", core_.readiness().ready()
                                                     ? absl::StrCat(load.waiting + load.running)
                                                     : std::string("not-ready"));
    ticket.End({});
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  });
}

}  // namespace espalier::server
