// Who calls: the name under which the queue is fair between clients and counts what each of them has waiting.
#pragma once

#include <grpcpp/server_context.h>

#include <string>

namespace espalier::server {

// The peer's address without its port: "127.0.0.1", "[2001:db8::1]", "unix". All connections from one host
// are one client.
std::string ClientOf(const grpc::CallbackServerContext& context);

// The same from gRPC's name of a peer ("ipv4:127.0.0.1:50321").
std::string ClientOfPeer(const std::string& peer);

}  // namespace espalier::server
