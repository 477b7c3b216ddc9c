// SHA-256 of files, the names under which blobs travel.
//
//   Sha256 hash;
//   hash.Update("abc");
//   hash.Finish();   // "ba7816bf...": 64 lower-case hexadecimal digits
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace espalier::proto {

// Not thread-safe; one object hashes one file.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view bytes);
  // Ends the hash; call once.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string Sha256Hex(std::string_view bytes);

// 64 characters out of 0-9 and a-f.
bool IsSha256Hex(std::string_view text);

}  // namespace espalier::proto
