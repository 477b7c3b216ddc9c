// A 128-bit fingerprint of a sequence of words, in one pass at memory speed.
//
//   Fingerprint print;
//   print.Add(weights);  print.Add(int64_t{3});
//   if (print.value() != stored) ...   // something else, or damaged
//
// Every step is one-to-one in what came before and in the word that is added, so two sequences of equal
// length that differ in one word never agree; others agree by chance only. Not for use against an adversary.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace espalier::base {

class Fingerprint {
 public:
  using Value = std::array<uint64_t, 2>;

  void Add(uint64_t word) {
    first_ = std::rotl((first_ ^ word) * 0x9E3779B97F4A7C15U, 29);
    second_ = std::rotl((second_ + word) * 0xC2B2AE3D27D4EB4FU, 31) ^ 0x165667B19E3779F9U;
  }
  void Add(int64_t word) { Add(static_cast<uint64_t>(word)); }
  void Add(int32_t word) { Add(static_cast<uint64_t>(static_cast<uint32_t>(word))); }
  void Add(double value) { Add(std::bit_cast<uint64_t>(value)); }
  template <class T>
  void Add(const std::vector<T>& values) {
    Add(static_cast<uint64_t>(values.size()));
    for (const T& value : values) Add(value);
  }
  // Eight bytes a word, the last one filled up with zeros; the length counts.
  void Add(std::string_view bytes) {
    Add(static_cast<uint64_t>(bytes.size()));
    for (size_t i = 0; i < bytes.size(); i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, bytes.size() - i < 8 ? bytes.size() - i : 8);
      Add(word);
    }
  }

  Value value() const { return {first_ ^ (first_ >> 32), second_ ^ (second_ >> 32)}; }

 private:
  uint64_t first_ = 0x27D4EB2F165667C5U, second_ = 0x85EBCA77C2B2AE63U;
};

}  // namespace espalier::base
