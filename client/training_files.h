// The files of train, graft and compare: read, sent, and remembered for the report.
//
//   FileList files;
//   ExitCode sent = SendData(connection, arguments.data, *request.mutable_data(), files);
#pragma once

#include <string>
#include <vector>

#include "client/commands.h"

namespace espalier::client {

struct FileRecord {
  std::string role;    // "model", "data", "labels", ...
  std::string path;    // as given
  std::string sha256;  // of its content, decompressed
};
using FileList = std::vector<FileRecord>;

// Reads, records and sends one file; kDone, or the exit status of an error that was reported.
ExitCode SendRecorded(Connection& connection, const std::string& role, const std::string& path,
                      v1::Blob& blob, FileList& files);

// Data and labels; `prefix` goes before their roles ("evaluation ").
ExitCode SendData(Connection& connection, const std::string& data, const std::string& labels,
                  const std::string& prefix, v1::LabelledData& message, FileList& files);

}  // namespace espalier::client
