#include "tests/support/test_files.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace espalier::test_support {

std::filesystem::path SourceFolder() {
  return ESPALIER_SOURCE_DIR;
}

std::filesystem::path SharedFolder() {
  const char* named = std::getenv("ESPALIER_SHARED_DIR");
  return named != nullptr ? std::filesystem::path(named) : SourceFolder().parent_path() / "shared";
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace espalier::test_support
