// The file formats behind ReadDataset (dataset_reader.h), one function per kind of file.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/dataset.h"

namespace espalier::formats {

using Labels = std::vector<int32_t>;

enum class DataFormat { kNpy, kNpz, kIdx, kCifar10, kUnknown };
DataFormat DetectFormat(std::string_view bytes);

// Why bytes of no known format are refused, for people: compressed, or of an odd size.
absl::Status UnknownFormat(std::string_view what, std::string_view bytes);

// Each fills shape and values, and labels where the file holds them.
absl::StatusOr<Dataset> ReadNpySamples(std::string_view bytes);
absl::StatusOr<Dataset> ReadNpzSamples(std::string_view bytes);
absl::StatusOr<Dataset> ReadIdxSamples(std::string_view bytes);
absl::StatusOr<Dataset> ReadCifar10(std::string_view bytes);

absl::StatusOr<Labels> ReadNpyLabels(std::string_view bytes);
absl::StatusOr<Labels> ReadNpzLabels(std::string_view bytes);  // NOT_FOUND without an array of such a name
absl::StatusOr<Labels> ReadIdxLabels(std::string_view bytes);

}  // namespace espalier::formats
