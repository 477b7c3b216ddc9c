#include "server/training_input.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/digest.h"
#include "server/training_job.h"

namespace espalier::server {
namespace {

struct Opening {
  std::string_view words;  // how a message of the engine begins
  const char* field;       // what it speaks about
};
constexpr std::array kOpenings = {
    Opening{"data", "data"},
    Opening{"the data", "data"},
    Opening{"a sample", "data"},
    Opening{"there is no sample", "data"},
    Opening{"label", "labels"},
    Opening{"evaluation", "evaluation"},
    Opening{"network spec", "spec"},
    Opening{"the checkpoint", "resume"},
    Opening{"npz:", "resume"},
    Opening{"the model", "model"},
    Opening{"model:", "model"},
    Opening{"base", "base"},
    Opening{"other", "other"},
    Opening{"epsilon", "epsilon"},
    Opening{"curve_ratios", "curve_ratios"},
    Opening{"target_verified", "graft.target_verified"},
};

// The field that a message is about; empty when it begins otherwise.
std::string FieldOf(std::string_view message) {
  const auto* found = std::find_if(kOpenings.begin(), kOpenings.end(), [&](const Opening& opening) {
    return message.starts_with(opening.words);
  });
  return found == kOpenings.end() ? "" : found->field;
}

const char* ReasonOf(const absl::Status& status, const std::string& field) {
  switch (status.code()) {
    case absl::StatusCode::kUnimplemented:
      return "UNSUPPORTED_MODEL";
    case absl::StatusCode::kFailedPrecondition:
      return "NOTHING_TO_GRAFT";
    case absl::StatusCode::kResourceExhausted:
      return "NOT_ENOUGH_MEMORY";
    case absl::StatusCode::kAborted:
      return "LOSS_NOT_FINITE";
    case absl::StatusCode::kInvalidArgument:
      if (field == "data" || field == "labels" || field == "evaluation") return "INVALID_DATA";
      return field == "resume" ? "INVALID_CHECKPOINT" : "INVALID_REQUEST";
    default:
      return "";
  }
}

}  // namespace

Failure BadField(const std::string& field, const std::string& message) {
  return {absl::InvalidArgumentError(absl::StrCat(field, ": ", message)),
          {.reason = "INVALID_REQUEST", .field = field}};
}

Failure OptionFailure(const absl::Status& status, const std::string& prefix) {
  const std::string message(status.message());
  std::string field = prefix;
  if (const std::string start = "option "; message.starts_with(start)) {
    absl::StrAppend(&field, ".",
                    message.substr(start.size(), message.find(' ', start.size()) - start.size()));
  }
  return {status, {.reason = "INVALID_REQUEST", .field = std::move(field)}};
}

Failure TrainingFailure(const absl::Status& status, const Model* model) {
  std::string field = FieldOf(std::string(status.message()));
  ErrorContext context{.reason = ReasonOf(status, field), .field = field};
  if (status.code() == absl::StatusCode::kUnimplemented && model != nullptr) {
    context.unsupported = model->Describe().unsupported;
    if (field.empty()) context.field = "model";
  }
  if (status.code() == absl::StatusCode::kFailedPrecondition) context.field = "model";
  return {status, std::move(context)};
}

Failure LabelledInput::Resolve(Core& core, const v1::LabelledData& source) {
  if (Failure failure = core.Resolve(source.data(), name_.c_str(), data_); !failure.ok()) return failure;
  if (!source.has_labels()) return {};
  return core.Resolve(source.labels(), name_ == "data" ? "labels" : (name_ + ".labels").c_str(), labels_);
}

int64_t LabelledInput::file_bytes() const {
  int64_t bytes = 0;
  for (const BlobPtr& file : {data_, labels_})
    bytes += file == nullptr ? 0 : static_cast<int64_t>(file->bytes.size());
  return bytes;
}

Failure LabelledInput::Read() {
  if (data_ == nullptr) return {};
  absl::StatusOr<Dataset> read = ReadDataset(data_->bytes, labels_ == nullptr ? "" : labels_->bytes);
  if (!read.ok()) {
    const std::string message(read.status().message());
    const std::string field = FieldOf(message) == "labels" ? "labels" : "data";
    const std::string full = name_ == "data" ? field : absl::StrCat(name_, ".", field);
    return {absl::Status(read.status().code(), message), {.reason = "INVALID_DATA", .field = full}};
  }
  dataset_ = *std::move(read);
  proto::Sha256 hash;
  hash.Update(data_->bytes);
  if (labels_ != nullptr) hash.Update(labels_->bytes);
  dataset_->sha256 = hash.Finish();
  data_.reset();
  labels_.reset();
  return {};
}

}  // namespace espalier::server
