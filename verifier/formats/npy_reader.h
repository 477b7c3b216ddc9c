// NumPy's .npy arrays and .npz archives <-> Tensor.
//
//   auto x = formats::ReadNpy(bytes);                       // data sets, inputs of `espalier run`
//   auto lower = formats::ReadNpzEntry(bytes, "crown_lb");  // np.savez or np.savez_compressed
//
// Untrusted input: every size is checked before it is used and nothing aborts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/tensor.h"

namespace espalier::formats {

struct NpyLimits {
  int64_t elements = int64_t{1} << 29;
  int64_t rank = 32;
};

// .npy versions 1 to 3, little-endian f4, f8, i4, i8, u1, b1, C or Fortran order (the Tensor is row-major
// either way). u1 becomes int64. INVALID_ARGUMENT for what is not .npy or lacks bytes; UNIMPLEMENTED for
// other element types; RESOURCE_EXHAUSTED over a limit. Non-finite numbers are kept.
absl::StatusOr<Tensor> ReadNpy(std::string_view bytes, const NpyLimits& limits = {});

// Version 1.0, C order: float32, float64, int64, int32 or bool as the tensor's type says. INVALID_ARGUMENT
// when shape, type and storage do not belong together.
absl::StatusOr<std::string> WriteNpy(const Tensor& tensor);

// Names of the arrays in an .npz archive in its order, without ".npy".
absl::StatusOr<std::vector<std::string>> ListNpz(std::string_view bytes);

// One array of an .npz archive, stored or deflated, its CRC checked. NOT_FOUND when there is none of that
// name.
absl::StatusOr<Tensor> ReadNpzEntry(std::string_view bytes, std::string_view name,
                                    const NpyLimits& limits = {});

}  // namespace espalier::formats
