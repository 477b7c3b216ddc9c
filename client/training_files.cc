#include "client/training_files.h"

#include <utility>

#include "client/file_bytes.h"
#include "proto/digest.h"

namespace espalier::client {

ExitCode SendRecorded(Connection& connection, const std::string& role, const std::string& path,
                      v1::Blob& blob, FileList& files) {
  absl::StatusOr<std::string> bytes = ReadFileBytes(path);
  if (!bytes.ok()) return ReportError(bytes.status());
  files.push_back({role, path, proto::Sha256Hex(*bytes)});
  const bool model = role == "model" || role == "base" || role == "other";
  const grpc::Status sent =
      connection.Send(*std::move(bytes), model ? v1::BLOB_KIND_ONNX_MODEL : v1::BLOB_KIND_DATASET, blob);
  return sent.ok() ? kDone : ReportError(connection, sent);
}

ExitCode SendData(Connection& connection, const std::string& data, const std::string& labels,
                  const std::string& prefix, v1::LabelledData& message, FileList& files) {
  const ExitCode sent = SendRecorded(connection, prefix + "data", data, *message.mutable_data(), files);
  if (sent != kDone || labels.empty()) return sent;
  return SendRecorded(connection, prefix + "labels", labels, *message.mutable_labels(), files);
}

}  // namespace espalier::client
