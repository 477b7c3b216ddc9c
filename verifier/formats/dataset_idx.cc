// MNIST's IDX form: a magic number that tells element type (8: bytes) and rank, big-endian sizes, elements.
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/dataset_sources.h"

namespace espalier::formats {
namespace {

// The sizes; checked against the number of bytes that follow them.
absl::StatusOr<Shape> ReadSizes(std::string_view bytes, size_t rank, const std::string& what) {
  const size_t header = 4 + 4 * rank;
  if (bytes.size() < header)
    return absl::InvalidArgumentError(what + ": the IDX file ends inside its header");
  if (bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8 || bytes[3] != static_cast<char>(rank)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": the IDX file does not begin with 0x0000080", rank));
  }
  Shape shape;
  for (size_t d = 0; d < rank; ++d) {
    uint32_t size = 0;
    for (size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(bytes[4 + 4 * d + i]);
    shape.push_back(size);
  }
  const std::optional<int64_t> count = ElementCount(shape);
  if (!count || static_cast<size_t>(*count) != bytes.size() - header) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": an IDX file of shape ", ShapeToString(shape),
                                                   " does not have ", bytes.size() - header,
                                                   " bytes behind its header"));
  }
  return shape;
}

}  // namespace

absl::StatusOr<Dataset> ReadIdxSamples(std::string_view bytes) {
  ESPALIER_ASSIGN_OR_RETURN(const Shape sizes, ReadSizes(bytes, 3, "data"));
  Dataset dataset;
  dataset.shape = {1, sizes[1], sizes[2]};
  dataset.values = std::vector<uint8_t>(bytes.begin() + 16, bytes.end());
  return dataset;
}

absl::StatusOr<Labels> ReadIdxLabels(std::string_view bytes) {
  ESPALIER_ASSIGN_OR_RETURN(const Shape sizes, ReadSizes(bytes, 1, "labels"));
  Labels labels;
  labels.reserve(static_cast<size_t>(sizes[0]));
  for (const char c : bytes.substr(8)) labels.push_back(static_cast<unsigned char>(c));
  return labels;
}

}  // namespace espalier::formats
