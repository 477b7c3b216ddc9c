#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace espalier::fuzz {
namespace {

constexpr size_t kMaxBytes = 1 << 20;

constexpr std::array<std::string_view, 16> kNumbers = {
    "0",   "-0",   "1e999", "-1e-999",    "4294967296", "9223372036854775807",    "99999999999999999999",
    "nan", "1e30", "-1",    "2147483648", "0.1e",       "1.7976931348623157e308", "5e-324",
    "..",  "--3"};

constexpr std::array<char, 12> kBytes = {'\0', '\xff', '\x7f', '\x80', '(', ')',
                                         ' ',  '\n',   '-',    'e',    '{', '\x01'};

}  // namespace

size_t Mutator::ChunkLength(const std::string& bytes, size_t at) {
  const size_t longest = std::min<size_t>(bytes.size() - at, size_t{1} << Draw(10));
  return longest == 0 ? 0 : 1 + Draw(longest);
}

void Mutator::ReplaceNumber(std::string& bytes) {
  const size_t start = Position(bytes);
  const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  const auto first = std::find_if(bytes.begin() + static_cast<std::ptrdiff_t>(start), bytes.end(), is_digit);
  const auto last = std::find_if_not(first, bytes.end(), is_digit);
  bytes.replace(first, last, kNumbers[Draw(kNumbers.size())]);
}

void Mutator::Change(std::string& bytes) {
  const size_t at = Position(bytes);
  const size_t length = ChunkLength(bytes, at);
  switch (Draw(10)) {
    case 0:
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << Draw(8)));
      break;
    case 1:
      if (at < bytes.size()) bytes[at] = kBytes[Draw(kBytes.size())];
      break;
    case 2:
      bytes.insert(at, 1, kBytes[Draw(kBytes.size())]);
      break;
    case 3:
      bytes.resize(at);
      break;
    case 4:
      bytes.erase(at, length);
      break;
    case 5: {  // repeated, now and then very often
      const std::string chunk = bytes.substr(at, length);
      size_t times = Draw(20) == 0 ? size_t{1} << Draw(14) : 1 + Draw(3);
      std::string repeated;
      for (; times > 0 && repeated.size() + chunk.size() < kMaxBytes; --times) repeated += chunk;
      bytes.insert(at, repeated);
      break;
    }
    case 6: {  // moved
      const std::string chunk = bytes.substr(at, length);
      bytes.erase(at, length);
      bytes.insert(Position(bytes), chunk);
      break;
    }
    case 7: {
      const std::string& other = seeds_[Draw(seeds_.size())];
      const size_t from = Position(other);
      bytes.insert(at, other.substr(from, ChunkLength(other, from)));
      break;
    }
    case 8:  // a number in binary: sizes and counts of formats
      for (size_t i = at, end = std::min(bytes.size(), at + (size_t{1} << Draw(4))); i < end; ++i) {
        bytes[i] = static_cast<char>(Draw(3) == 0 ? random_() & 0xff : 0xff);
      }
      break;
    default:
      ReplaceNumber(bytes);
  }
  if (bytes.size() > kMaxBytes) bytes.resize(kMaxBytes);
}

std::string Mutator::Make(uint64_t seed, uint64_t run) {
  std::seed_seq sequence{seed, seed >> 32, run, run >> 32};
  random_.seed(sequence);
  std::string bytes = seeds_[Draw(seeds_.size())];
  for (size_t changes = 1 + Draw(8); changes > 0; --changes) Change(bytes);
  return bytes;
}

}  // namespace espalier::fuzz
