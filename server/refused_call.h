// A call that ends with an error before it begins.
//
//   return Refuse<grpc::ServerUnaryReactor>(failure);
#pragma once

#include <grpcpp/support/server_callback.h>

#include "server/errors.h"

namespace espalier::server {

template <typename Reactor>
class RefusedCall final : public Reactor {
 public:
  explicit RefusedCall(const Failure& why) { this->Finish(why.ToGrpc()); }

 private:
  void OnDone() override { delete this; }
};

// gRPC owns what it returns.
template <typename Reactor>
Reactor* Refuse(const Failure& why) {
  return new RefusedCall<Reactor>(why);
}

}  // namespace espalier::server
