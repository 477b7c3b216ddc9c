// CIFAR-10's binary form: records of one label byte and 3072 bytes of pixels, channel by channel (ONNX
// order).
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/formats/dataset_sources.h"

namespace espalier::formats {

absl::StatusOr<Dataset> ReadCifar10(std::string_view bytes) {
  constexpr size_t kPixels = 3 * 32 * 32, kRecord = kPixels + 1;
  constexpr int kClasses = 10;
  if (bytes.size() % kRecord != 0) {
    return absl::InvalidArgumentError(absl::StrCat("data: CIFAR-10 record ", bytes.size() / kRecord, " has ",
                                                   bytes.size() % kRecord, " bytes instead of ", kRecord));
  }
  const size_t count = bytes.size() / kRecord;
  Dataset dataset;
  dataset.shape = {3, 32, 32};
  dataset.labels.resize(count);
  std::vector<uint8_t> values(count * kPixels);
  for (size_t i = 0; i < count; ++i) {
    const char* record = bytes.data() + i * kRecord;
    const int label = static_cast<unsigned char>(record[0]);
    if (label >= kClasses) {
      return absl::InvalidArgumentError(
          absl::StrCat("data: CIFAR-10 record ", i, " has the label ", label, ", not one of 0 to 9"));
    }
    dataset.labels[i] = label;
    std::memcpy(values.data() + i * kPixels, record + 1, kPixels);
  }
  dataset.values = std::move(values);
  return dataset;
}

}  // namespace espalier::formats
