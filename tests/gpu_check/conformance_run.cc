#include "tests/gpu_check/conformance_run.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/support/test_files.h"

namespace espalier::gpu_check {
namespace {

constexpr int kFindingStatus = 86;  // what compute-sanitizer is told to exit with

std::string InPath(const char* program) {
  const char* const path = std::getenv("PATH");
  for (absl::string_view folder : absl::StrSplit(path == nullptr ? "" : path, ':', absl::SkipEmpty())) {
    std::string file = absl::StrCat(folder, "/", program);
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

// Exit status, or -1 when a signal ended it or it could not be started.
int Run(const std::vector<std::string>& command, const std::filesystem::path& log) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(127);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

}  // namespace

ConformanceResult RunConformance(const std::filesystem::path& binary, const std::filesystem::path& log,
                                 bool sanitize) {
  ConformanceResult result;
  if (access(binary.c_str(), X_OK) != 0) {
    result.description = absl::StrCat("no ", binary.string());
    return result;
  }
  const std::string sanitizer = sanitize ? InPath("compute-sanitizer") : "";
  if (!sanitizer.empty()) {
    result.ran = result.under_sanitizer = true;
    result.exit_status = Run({sanitizer, "--error-exitcode", absl::StrCat(kFindingStatus), binary}, log);
    result.description = "under compute-sanitizer";
    // A tool that does not support the machine says so and starts nothing.
    if (test_support::ReadFile(log).find("Device not supported") == std::string::npos) return result;
  }
  result.ran = true;
  result.under_sanitizer = false;
  result.exit_status = Run({binary}, log);
  result.description = !sanitize           ? "alone"
                       : sanitizer.empty() ? "alone: compute-sanitizer is not installed"
                                           : "alone: compute-sanitizer does not support this card";
  return result;
}

}  // namespace espalier::gpu_check
