// What the training jobs share: labelled data from a request, and the engine's errors with the field at
// fault.
//
//   LabelledInput data("data");
//   data.Resolve(core, request.data());   // finds the blobs, keeps them
//   data.Read();                          // parses them; data.get() is the engine's view
#pragma once

#include <optional>
#include <string>

#include "espalier/v1/training.pb.h"
#include "server/core.h"
#include "server/errors.h"
#include "verifier/verifier.h"

namespace espalier::server {

class LabelledInput {
 public:
  // `name`: of the request's field, as it stands in errors ("data", "evaluation").
  explicit LabelledInput(std::string name) : name_(std::move(name)) {}

  Failure Resolve(Core& core, const v1::LabelledData& source);
  // Parses, and lets the bytes go. Nothing happens when nothing was resolved.
  Failure Read();
  int64_t file_bytes() const;  // of what was resolved and not read yet
  // nullptr before Read, or when there are no data.
  const Dataset* get() const { return dataset_ ? &*dataset_ : nullptr; }

 private:
  const std::string name_;
  BlobPtr data_, labels_;
  std::optional<Dataset> dataset_;
};

// The files that Train and Graft have in common.
struct TrainingFiles {
  LabelledInput data{"data"}, evaluation{"evaluation"};
  BlobPtr resume;  // null: from the start

  // `Request`: v1::TrainRequest or v1::GraftRequest.
  template <typename Request>
  Failure Resolve(Core& core, const Request& request) {
    if (Failure f = data.Resolve(core, request.data()); !f.ok()) return f;
    if (request.has_evaluation()) {
      if (Failure f = evaluation.Resolve(core, request.evaluation()); !f.ok()) return f;
    }
    return request.has_resume() ? core.Resolve(request.resume(), "resume", resume) : Failure();
  }
  int64_t file_bytes() const {
    const int64_t rest = resume == nullptr ? 0 : static_cast<int64_t>(resume->bytes.size());
    return data.file_bytes() + evaluation.file_bytes() + rest;
  }
  Failure Read() {
    if (Failure f = data.Read(); !f.ok()) return f;
    return evaluation.Read();
  }
};

// INVALID_REQUEST for `field`; the message begins with its name.
Failure BadField(const std::string& field, const std::string& message);

// A status of CheckOptions ("option epochs is ...") with the field it speaks about: `prefix`.epochs.
Failure OptionFailure(const absl::Status& status, const std::string& prefix);

// What Train, Graft or Compare said, with the field that its message begins with.
// `model`: the one whose unsupported nodes are listed; may be null.
Failure TrainingFailure(const absl::Status& status, const Model* model);

}  // namespace espalier::server
