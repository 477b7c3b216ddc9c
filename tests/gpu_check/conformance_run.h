// Runs the conformance suite as a process of its own, so that what goes wrong on a card ends that process
// alone, and under compute-sanitizer where that is installed and accepts the card.
#pragma once

#include <filesystem>
#include <string>

namespace espalier::gpu_check {

struct ConformanceResult {
  bool ran = false;
  bool under_sanitizer = false;
  int exit_status = -1;     // of the suite; 0: every test passed and the sanitizer found nothing
  std::string description;  // how it was run, or why it was not
};

// `binary` is started with its output going to `log`. Without `sanitize`, or where compute-sanitizer is not
// found in PATH: alone.
ConformanceResult RunConformance(const std::filesystem::path& binary, const std::filesystem::path& log,
                                 bool sanitize);

}  // namespace espalier::gpu_check
