#include "client/call_header.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "client/credentials.h"

namespace espalier::client {
namespace {

namespace intercept = grpc::experimental;

constexpr const char* kVersionKey = "espalier-version";

class CallHeader final : public intercept::Interceptor {
 public:
  CallHeader(const std::string& authorization, const std::string& traceparent,
             std::shared_ptr<std::atomic<bool>> warned)
      : authorization_(authorization), traceparent_(traceparent), warned_(std::move(warned)) {}

  void Intercept(intercept::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(intercept::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      auto& metadata = *methods->GetSendInitialMetadata();
      metadata.emplace(kVersionKey, ESPALIER_VERSION);
      if (!authorization_.empty()) metadata.emplace("authorization", authorization_);
      if (!traceparent_.empty()) metadata.emplace("traceparent", traceparent_);
    }
    if (methods->QueryInterceptionHookPoint(intercept::InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      const auto& metadata = *methods->GetRecvInitialMetadata();
      if (const auto found = metadata.find(kVersionKey); found != metadata.end())
        Look(std::string(found->second.data(), found->second.size()));
    }
    methods->Proceed();
  }

 private:
  void Look(const std::string& version) {
    const std::string warning = SkewWarning(ESPALIER_VERSION, version);
    if (!warning.empty() && !warned_->exchange(true)) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }

  const std::string authorization_, traceparent_;
  const std::shared_ptr<std::atomic<bool>> warned_;
};

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

CallHeaderFactory::CallHeaderFactory(std::string token)
    : authorization_(token.empty() ? "" : "Bearer " + token), traceparent_(Variable("TRACEPARENT")) {}

intercept::Interceptor* CallHeaderFactory::CreateClientInterceptor(intercept::ClientRpcInfo* /*info*/) {
  return new CallHeader(authorization_, traceparent_, warned_);
}

}  // namespace espalier::client
