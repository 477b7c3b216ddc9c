// The files that a run may name.
#pragma once

#include <vector>

#include "espalier/v1/worker.pb.h"

namespace espalier::server {

struct FileField {
  const v1::Blob* blob = nullptr;
  const char* field = "";  // as it stands in errors
};

// Those fields of the run's call that are set, the model first.
std::vector<FileField> FilesOf(const v1::WorkerRun& run);

}  // namespace espalier::server
