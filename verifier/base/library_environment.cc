#include "verifier/base/library_environment.h"

#include <unistd.h>

#include <cstdlib>

namespace espalier::base {

BlasCore BlasCoreOfThisProcessor() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    return BlasCore::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return BlasCore::kAvx2;
#endif
  return BlasCore::kUnknown;
}

std::vector<std::pair<std::string, std::string>> LibraryEnvironment(BlasCore core) {
  std::vector<std::pair<std::string, std::string>> variables;
  if (std::getenv("OMP_WAIT_POLICY") == nullptr && std::getenv("GOMP_SPINCOUNT") == nullptr) {
    variables.emplace_back("OMP_WAIT_POLICY", "passive");
    variables.emplace_back("GOMP_SPINCOUNT", "2000");
  }
  if (core == BlasCore::kAvx512) variables.emplace_back("OPENBLAS_CORETYPE", "SkylakeX");
  if (core == BlasCore::kAvx2) variables.emplace_back("OPENBLAS_CORETYPE", "Haswell");
  return variables;
}

bool SetLibraryEnvironment() {
  bool any = false;
  for (const auto& [name, value] : LibraryEnvironment(BlasCoreOfThisProcessor())) {
    if (std::getenv(name.c_str()) != nullptr) continue;
    setenv(name.c_str(), value.c_str(), 0);
    any = true;
  }
  return any;
}

void StartInLibraryEnvironment(char** argv) {
  if (SetLibraryEnvironment())
    execv("/proc/self/exe", argv);  // on failure everything still works, only slower
}

}  // namespace espalier::base
