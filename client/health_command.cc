#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdio>
#include <future>
#include <string>

#include "absl/time/clock.h"
#include "client/commands.h"

namespace espalier::client {
namespace {

// Debian has no package of the health service's messages. HealthCheckRequest is empty when it asks for the
// whole server; HealthCheckResponse has one field, `status = 1`, whose value 1 means SERVING.
constexpr const char* kHealthCheck = "/grpc.health.v1.Health/Check";
constexpr const char* kServing = "\x08\x01";

std::string Text(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  for (const grpc::Slice& slice : slices) text.append(slice.begin(), slice.end());
  return text;
}

}  // namespace

ExitCode RunHealth(Connection& connection, const HealthArguments& arguments) {
  grpc::GenericStub stub(connection.channel());
  grpc::ClientContext context;
  connection.Prepare(context, absl::Now() + absl::Seconds(arguments.timeout_s));
  const grpc::ByteBuffer request(nullptr, 0);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, kHealthCheck, {}, &request, &response,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  if (!status.ok()) return ReportError(connection, status);
  const bool serving = Text(response) == kServing;
  const char* const word = serving ? "serving" : "not-serving";
  std::printf(arguments.json ? "{\"status\":\"%s\"}\n" : "%s\n", word);
  return serving ? kDone : kUnreachable;
}

}  // namespace espalier::client
