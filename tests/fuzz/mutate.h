// Seeded random changes to a byte string: what a fuzzer without coverage feedback can do.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace espalier::fuzz {

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  // One to eight changes to a random seed: flipped bits, bytes of interest, truncation, chunks removed,
  // repeated, swapped or taken from another seed, numbers replaced by extreme ones. The same run number and
  // seed give the same string. Requires at least one seed string. At most a megabyte.
  std::string Make(uint64_t seed, uint64_t run);

 private:
  void Change(std::string& bytes);
  void ReplaceNumber(std::string& bytes);
  size_t Draw(size_t count) { return static_cast<size_t>(random_() % count); }
  size_t Position(const std::string& bytes) { return Draw(bytes.size() + 1); }
  size_t ChunkLength(const std::string& bytes, size_t at);

  std::vector<std::string> seeds_;
  std::mt19937_64 random_;
};

}  // namespace espalier::fuzz
