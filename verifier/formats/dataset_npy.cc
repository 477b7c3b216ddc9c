// Samples and labels in NumPy's arrays and archives.
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/dataset_sources.h"
#include "verifier/formats/npy_bytes.h"
#include "verifier/formats/npy_header.h"
#include "verifier/formats/npy_reader.h"
#include "verifier/formats/npy_zip.h"

namespace espalier::formats {
namespace {

absl::Status Invalid(const std::string& what) {
  return absl::InvalidArgumentError(what);
}

absl::StatusOr<std::vector<uint8_t>> ByteValues(std::string_view bytes, const NpyHeader& header) {
  if (header.fortran_order) {
    ESPALIER_ASSIGN_OR_RETURN(const Tensor tensor, ReadNpy(bytes));
    const std::vector<int64_t> wide = tensor.ToInts();
    std::vector<uint8_t> values(wide.size());
    for (size_t i = 0; i < wide.size(); ++i) values[i] = static_cast<uint8_t>(wide[i]);
    return values;
  }
  const std::optional<int64_t> count = ElementCount(header.shape);
  const std::string_view elements = bytes.substr(header.data_offset);
  if (!count || static_cast<size_t>(*count) > elements.size()) {
    return Invalid(absl::StrCat("data: an array of shape ", ShapeToString(header.shape), " needs more than ",
                                elements.size(), " bytes"));
  }
  return std::vector<uint8_t>(elements.begin(), elements.begin() + *count);
}

// float32, rounded to nearest where the array is float64; every value finite.
absl::StatusOr<std::vector<float>> FloatValues(std::string_view bytes, int64_t sample_size) {
  ESPALIER_ASSIGN_OR_RETURN(Tensor tensor, ReadNpy(bytes));
  std::vector<float> values;
  if (auto* floats = std::get_if<std::vector<float>>(&tensor.data)) {
    values = std::move(*floats);
  } else {
    values.reserve(static_cast<size_t>(tensor.size()));
    for (const double v : std::get<std::vector<double>>(tensor.data)) values.push_back(static_cast<float>(v));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    const auto at = static_cast<int64_t>(i);
    return Invalid(absl::StrCat("data: element ", at % sample_size, " of sample ", at / sample_size,
                                std::isnan(values[i]) ? " is not a number" : " is infinite in float32"));
  }
  return values;
}

template <typename T>
absl::StatusOr<Labels> IntegerLabels(std::string_view elements, int64_t count) {
  Labels labels;
  labels.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const T value = LoadLittle<T>(elements, static_cast<size_t>(i) * sizeof(T));
    if (!std::in_range<int32_t>(value) || std::cmp_less(value, 0)) {
      return Invalid(absl::StrCat("labels: that of sample ", i, " is ", value,
                                  ", not a class between 0 and 2147483647"));
    }
    labels.push_back(static_cast<int32_t>(value));
  }
  return labels;
}

struct IntegerType {
  std::string_view name;
  size_t bytes;
  absl::StatusOr<Labels> (*read)(std::string_view, int64_t);
};

constexpr std::array<IntegerType, 8> kIntegerTypes{{{"u1", 1, IntegerLabels<uint8_t>},
                                                    {"i1", 1, IntegerLabels<int8_t>},
                                                    {"<u2", 2, IntegerLabels<uint16_t>},
                                                    {"<i2", 2, IntegerLabels<int16_t>},
                                                    {"<u4", 4, IntegerLabels<uint32_t>},
                                                    {"<i4", 4, IntegerLabels<int32_t>},
                                                    {"<u8", 8, IntegerLabels<uint64_t>},
                                                    {"<i8", 8, IntegerLabels<int64_t>}}};

// The .npy file of the first of these names; NOT_FOUND when there is none.
absl::StatusOr<std::string> FindArray(std::string_view archive, const std::vector<std::string_view>& names) {
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ListZip(archive));
  for (const std::string_view name : names) {
    for (const ZipEntry& entry : entries) {
      if (entry.name != std::string(name) + ".npy") continue;
      return ExtractZip(archive, entry, static_cast<uint64_t>(NpyLimits{}.elements) * 8);
    }
  }
  std::string list;
  for (const std::string_view name : names)
    absl::StrAppend(&list, list.empty() ? "" : ", ", std::string(name));
  return absl::NotFoundError(absl::StrCat("the archive holds no array called ", list));
}

}  // namespace

absl::StatusOr<Dataset> ReadNpySamples(std::string_view bytes) {
  ESPALIER_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(bytes));
  if (header.shape.size() < 2) {
    return Invalid(absl::StrCat("data: an array of shape ", ShapeToString(header.shape),
                                " has no dimension for samples and their elements; [N, ...] is needed"));
  }
  Dataset dataset;
  dataset.shape.assign(header.shape.begin() + 1, header.shape.end());
  const std::optional<int64_t> sample_size = ElementCount(dataset.shape);
  if (!sample_size || *sample_size == 0 || header.shape[0] == 0) {
    return Invalid(
        absl::StrCat("data: an array of shape ", ShapeToString(header.shape), " holds no samples"));
  }
  if (header.descr == "|u1" || header.descr == "u1" || header.descr == "<u1") {
    ESPALIER_ASSIGN_OR_RETURN(dataset.values, ByteValues(bytes, header));
  } else if (header.descr == "<f4" || header.descr == "<f8") {
    ESPALIER_ASSIGN_OR_RETURN(dataset.values, FloatValues(bytes, *sample_size));
  } else {
    return Invalid(absl::StrCat("data: element type '", header.descr,
                                "'; samples are bytes (|u1) or floats (<f4, <f8)"));
  }
  return dataset;
}

absl::StatusOr<Labels> ReadNpyLabels(std::string_view bytes) {
  ESPALIER_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(bytes));
  const Shape& shape = header.shape;
  if (shape.empty() || shape.size() > 2 || (shape.size() == 2 && shape[1] != 1)) {
    return Invalid(absl::StrCat("labels: an array of shape ", ShapeToString(shape), "; [N] is needed"));
  }
  const std::string_view elements = bytes.substr(header.data_offset);
  for (const IntegerType& type : kIntegerTypes) {
    if (!std::string_view(header.descr).ends_with(type.name) || header.descr.starts_with('>')) continue;
    if (static_cast<size_t>(shape[0]) > elements.size() / type.bytes) {
      return Invalid(absl::StrCat("labels: ", shape[0], " labels of ", type.bytes,
                                  " bytes are more than the ", elements.size(), " bytes in the file"));
    }
    return type.read(elements, shape[0]);
  }
  return Invalid(absl::StrCat("labels: element type '", header.descr, "'; labels are integers"));
}

absl::StatusOr<Labels> ReadNpzLabels(std::string_view bytes) {
  ESPALIER_ASSIGN_OR_RETURN(const std::string array, FindArray(bytes, {"labels", "y", "Y"}));
  return ReadNpyLabels(array);
}

absl::StatusOr<Dataset> ReadNpzSamples(std::string_view bytes) {
  absl::StatusOr<std::string> array = FindArray(bytes, {"data", "x", "images", "X"});
  if (absl::IsNotFound(array.status())) return Invalid(absl::StrCat("data: ", array.status().message()));
  ESPALIER_RETURN_IF_ERROR(array.status());
  ESPALIER_ASSIGN_OR_RETURN(Dataset dataset, ReadNpySamples(*array));
  absl::StatusOr<Labels> labels = ReadNpzLabels(bytes);
  if (absl::IsNotFound(labels.status())) return dataset;
  ESPALIER_RETURN_IF_ERROR(labels.status());
  dataset.labels = *std::move(labels);
  return dataset;
}

}  // namespace espalier::formats
