#include "verifier/formats/dataset_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/dataset_sources.h"

namespace espalier::formats {
namespace {

constexpr size_t kCifarRecord = 3073;

bool LooksLikeIdx(std::string_view bytes) {
  return bytes.size() >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 8 &&
         (bytes[3] == 1 || bytes[3] == 3);
}

absl::StatusOr<Dataset> ReadSamples(std::string_view bytes) {
  switch (DetectFormat(bytes)) {
    case DataFormat::kNpy:
      return ReadNpySamples(bytes);
    case DataFormat::kNpz:
      return ReadNpzSamples(bytes);
    case DataFormat::kIdx:
      return ReadIdxSamples(bytes);
    case DataFormat::kCifar10:
      return ReadCifar10(bytes);
    case DataFormat::kUnknown:
      break;
  }
  return UnknownFormat("data", bytes);
}

absl::StatusOr<Labels> ReadLabels(std::string_view bytes) {
  switch (DetectFormat(bytes)) {
    case DataFormat::kNpy:
      return ReadNpyLabels(bytes);
    case DataFormat::kNpz:
      return ReadNpzLabels(bytes);
    case DataFormat::kIdx:
      return ReadIdxLabels(bytes);
    default:
      return UnknownFormat("labels", bytes);
  }
}

}  // namespace

DataFormat DetectFormat(std::string_view bytes) {
  if (bytes.starts_with("\x93NUMPY")) return DataFormat::kNpy;
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06")) return DataFormat::kNpz;
  const bool records = !bytes.empty() && bytes.size() % kCifarRecord == 0;
  // A CIFAR-10 file may begin like an IDX file; then only one of the two has the right length.
  const auto is_idx = [&] { return ReadIdxLabels(bytes).ok() || ReadIdxSamples(bytes).ok(); };
  if (LooksLikeIdx(bytes) && (!records || is_idx())) return DataFormat::kIdx;
  return records ? DataFormat::kCifar10 : DataFormat::kUnknown;
}

absl::Status UnknownFormat(std::string_view what, std::string_view bytes) {
  const std::string name(what);
  if (bytes.empty()) return absl::InvalidArgumentError(absl::StrCat(name, ": the file is empty"));
  if (bytes.starts_with("\x1f\x8b") || bytes.starts_with("\x28\xb5\x2f\xfd") || bytes.starts_with("BZh") ||
      bytes.starts_with("\xfd"
                        "7zXZ")) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": the file is compressed; decompress it first"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": neither .npy, .npz, IDX nor CIFAR-10's binary form (", bytes.size(),
                   " bytes are ", bytes.size() / kCifarRecord, " records of ", kCifarRecord, " and ",
                   bytes.size() % kCifarRecord, " bytes more)"));
}

absl::StatusOr<Dataset> ReadDataset(std::string_view data, std::string_view labels) {
  ESPALIER_ASSIGN_OR_RETURN(Dataset dataset, ReadSamples(data));
  const int64_t size = dataset.sample_size();
  const auto values =
      std::visit([](const auto& v) { return static_cast<int64_t>(v.size()); }, dataset.values);
  if (size <= 0 || values <= 0) return absl::InvalidArgumentError("data: there are no samples");
  if (!labels.empty()) {
    if (DetectFormat(data) == DataFormat::kCifar10) {
      return absl::InvalidArgumentError(
          "labels: the records of CIFAR-10 hold their own; give none beside them");
    }
    ESPALIER_ASSIGN_OR_RETURN(dataset.labels, ReadLabels(labels));
  } else if (dataset.labels.empty()) {
    return absl::InvalidArgumentError("labels: the data hold none, so a file with labels is needed");
  }
  if (values / size != dataset.size()) {
    return absl::InvalidArgumentError(absl::StrCat("labels: ", dataset.size(), " labels for ", values / size,
                                                   " samples of shape ", ShapeToString(dataset.shape)));
  }
  return dataset;
}

}  // namespace espalier::formats
