// Numbers as bytes: varints (seven bits a byte, low ones first) and eight bytes, little end first. A reader
// never goes past its end: ok() is false from then on, and what it returns is zero.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace espalier::search {

class ByteWriter {
 public:
  void Number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  void Fixed(uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
  }
  void Bytes(std::string_view bytes) { bytes_ += bytes; }

  const std::string& bytes() const { return bytes_; }
  std::string Take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t left() const { return bytes_.size() - at_; }
  uint64_t Number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = Next();
      value |= (byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return ok_ ? value : 0;
    }
    ok_ = false;
    return 0;
  }
  uint64_t Fixed() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 8) value |= Next() << shift;
    return ok_ ? value : 0;
  }

 private:
  uint64_t Next() {
    if (at_ == bytes_.size()) ok_ = false;
    return ok_ ? static_cast<unsigned char>(bytes_[at_++]) : 0;
  }

  std::string_view bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace espalier::search
