#include <cstdio>
#include <utility>

#include "client/commands.h"
#include "client/file_bytes.h"

namespace espalier::client {

ExitCode ReportError(const absl::Status& status) {
  std::fprintf(stderr, "espalier: %s\n", std::string(status.message()).c_str());
  return status.code() == absl::StatusCode::kUnavailable ? kUnreachable : kBadInput;
}

ExitCode ReportError(Connection& connection, const grpc::Status& status) {
  std::fprintf(stderr, "espalier: %s\n", connection.Explain(status).c_str());
  return ExitCodeOf(status);
}

ExitCode SendFile(Connection& connection, const std::string& path, v1::BlobKind kind, v1::Blob& blob) {
  absl::StatusOr<std::string> bytes = ReadFileBytes(path);
  if (!bytes.ok()) return ReportError(bytes.status());
  const grpc::Status sent = connection.Send(*std::move(bytes), kind, blob);
  return sent.ok() ? kDone : ReportError(connection, sent);
}

}  // namespace espalier::client
