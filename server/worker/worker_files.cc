#include "server/worker/worker_files.h"

namespace espalier::server {

std::vector<FileField> FilesOf(const v1::WorkerRun& run) {
  std::vector<FileField> files;
  const auto add = [&files](const v1::Blob& blob, const char* field) {
    if (blob.source_case() != v1::Blob::SOURCE_NOT_SET) files.push_back({&blob, field});
  };
  switch (run.call_case()) {
    case v1::WorkerRun::kVerify:
      add(run.verify().model(), "model");
      add(run.verify().query(), "query");
      break;
    case v1::WorkerRun::kBounds:
      add(run.bounds().model(), "model");
      if (run.bounds().has_query()) add(run.bounds().query(), "query");
      if (run.bounds().has_box()) {
        add(run.bounds().box().lower(), "box.lower");
        add(run.bounds().box().upper(), "box.upper");
      }
      break;
    case v1::WorkerRun::kDescribe:
      add(run.describe().model(), "model");
      break;
    case v1::WorkerRun::kEvaluate:
      add(run.evaluate().model(), "model");
      add(run.evaluate().input(), "input");
      break;
    case v1::WorkerRun::CALL_NOT_SET:
      break;
  }
  return files;
}

}  // namespace espalier::server
