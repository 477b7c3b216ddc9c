// Where the reference material lies that is not part of the project; tests that use it skip when it is
// absent.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace espalier::formats {

inline std::filesystem::path SharedFolder() {
  const char* folder = std::getenv("ESPALIER_SHARED_DIR");
  return folder != nullptr ? std::filesystem::path(folder)
                           : std::filesystem::path(ESPALIER_SOURCE_DIR).parent_path() / "shared";
}

inline std::string ReadWhole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace espalier::formats
