// The list of a batch: which network is asked which query, and for how long.
//
//   absl::StatusOr<std::vector<Instance>> instances = ReadInstances("benchmarks/acasxu/instances.csv");
//
// The form is that of VNN-COMP: one line `model,query,timeout` for each instance, no head line, paths against
// the file's own folder. A first line that names columns is understood as well: `onnx`, `model` or `network`,
// `vnnlib`, `query` or `property`, and, where they are there, `timeout`, `benchmark` or `category`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace espalier::client {

struct Instance {
  std::string category;                // of the line, else the name of the list's folder
  std::string model, query;            // as written
  std::string model_path, query_path;  // to be opened: PATH.gz where only that is there
  std::optional<double> timeout_s;     // as written
  std::string Name() const;            // "model query", without folders and suffixes
};

// NOT_FOUND, PERMISSION_DENIED; INVALID_ARGUMENT names the line. The models and queries need not be there
// yet.
absl::StatusOr<std::vector<Instance>> ReadInstances(const std::string& path);

// The last part of a path without ".gz" and its last suffix: "a/net.onnx.gz" becomes "net".
std::string Stem(const std::string& path);

}  // namespace espalier::client
