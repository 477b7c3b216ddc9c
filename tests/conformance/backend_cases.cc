#include "tests/conformance/backend_conformance.h"

namespace espalier::backend {

const std::vector<BackendCase>& AllBackends() {
  static const auto* cases = new std::vector<BackendCase>{
      {"cpu_1_thread", [](int64_t bytes) { return MakeCpuBackend({.threads = 1, .memory_bytes = bytes}); }},
      {"cpu_2_threads", [](int64_t bytes) { return MakeCpuBackend({.threads = 2, .memory_bytes = bytes}); }},
  };
  return *cases;
}

}  // namespace espalier::backend
