// Files that tests read.
//
//   const std::string model = ReadFile(SourceFolder() / "models/digits.onnx");
//   if (!std::filesystem::exists(SharedFolder() / "bench")) GTEST_SKIP() << "no benchmarks here";
#pragma once

#include <filesystem>
#include <string>

namespace espalier::test_support {

// The project's own folder.
std::filesystem::path SourceFolder();

// Reference material that is not part of the project: the folder that ESPALIER_SHARED_DIR names, else
// `shared` beside the project. It may be absent; tests that need it skip then.
std::filesystem::path SharedFolder();

// All bytes of a file; empty when it cannot be read.
std::string ReadFile(const std::filesystem::path& path);

}  // namespace espalier::test_support
