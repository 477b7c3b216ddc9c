// The conformance suite on the machine's first card.
#include "cuda_kernels/cuda_backend.h"
#include "tests/conformance/backend_conformance.h"

namespace espalier::backend {

const std::vector<BackendCase>& AllBackends() {
  static const auto* cases = new std::vector<BackendCase>{
      {"cuda", [](int64_t bytes) { return cuda_kernels::MakeCudaBackend({.memory_bytes = bytes}); }},
  };
  return *cases;
}

}  // namespace espalier::backend
