// What every call to a named server carries (the token, this program's version, the traceparent of the
// environment), and what is looked at in every answer (the server's version).
//
//   interceptors.push_back(std::make_unique<CallHeaderFactory>(token));
#pragma once

#include <grpcpp/support/client_interceptor.h>

#include <atomic>
#include <memory>
#include <string>

namespace espalier::client {

// Thread-safe.
class CallHeaderFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit CallHeaderFactory(std::string token);  // empty: none
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo* info) override;

 private:
  const std::string authorization_, traceparent_;
  // Outlives the channel where a call does.
  const std::shared_ptr<std::atomic<bool>> warned_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace espalier::client
