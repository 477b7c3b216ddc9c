#include "server/worker/worker_files.h"

namespace espalier::server {

std::vector<FileField> FilesOf(const v1::WorkerRun& run) {
  std::vector<FileField> files;
  const auto add = [&files](const v1::Blob& blob, const char* field) {
    if (blob.source_case() != v1::Blob::SOURCE_NOT_SET) files.push_back({&blob, field});
  };
  const auto add_labelled = [&add](const v1::LabelledData& data, const char* field, const char* labels) {
    add(data.data(), field);
    add(data.labels(), labels);
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
    case v1::WorkerRun::kTrain:
      add(run.train().model(), "model");
      add_labelled(run.train().data(), "data", "labels");
      add_labelled(run.train().evaluation(), "evaluation", "evaluation.labels");
      add(run.train().resume(), "resume");
      break;
    case v1::WorkerRun::kGraft:
      add(run.graft().model(), "model");
      add_labelled(run.graft().data(), "data", "labels");
      add_labelled(run.graft().evaluation(), "evaluation", "evaluation.labels");
      add(run.graft().resume(), "resume");
      break;
    case v1::WorkerRun::kCompare:
      add(run.compare().base(), "base");
      add(run.compare().other(), "other");
      add_labelled(run.compare().data(), "data", "labels");
      break;
    case v1::WorkerRun::kProbe:
    case v1::WorkerRun::CALL_NOT_SET:
      break;
  }
  return files;
}

}  // namespace espalier::server
