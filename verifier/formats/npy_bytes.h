// Little-endian numbers in byte strings.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace espalier::formats {

static_assert(std::endian::native == std::endian::little, "arrays are copied as they stand in the file");

// The T at `offset`; the caller has checked that it lies inside.
template <typename T>
T LoadLittle(std::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace espalier::formats
