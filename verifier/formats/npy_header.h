// The header of an .npy file: a Python dictionary literal with the keys descr, fortran_order and shape.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "verifier/base/tensor.h"

namespace espalier::formats {

struct NpyHeader {
  std::string descr;  // "<f4"
  bool fortran_order = false;
  Shape shape;
  size_t data_offset = 0;  // of the first element in the file
};

// Dimensions are non-negative; their number and product are not limited here. INVALID_ARGUMENT for anything
// that numpy would not write.
absl::StatusOr<NpyHeader> ParseNpyHeader(std::string_view bytes);

// Magic, version 1.0, dictionary and padding to a multiple of 64 bytes.
std::string FormatNpyHeader(std::string_view descr, const Shape& shape);

}  // namespace espalier::formats
