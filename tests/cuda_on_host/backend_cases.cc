// The CUDA backend on the CPU for the conformance suite: queued work runs as late as a card may run it, or in
// random portions with the threads of a block in either order.
#include "cuda_kernels/cuda_backend.h"
#include "device.h"
#include "tests/conformance/backend_conformance.h"

namespace espalier::backend {
namespace {

absl::StatusOr<std::unique_ptr<Backend>> Make(cuda_on_host::Schedule schedule, int64_t bytes) {
  cuda_on_host::Behaviour behaviour;
  behaviour.schedule = schedule;
  cuda_on_host::Behave(behaviour);
  return cuda_kernels::MakeCudaBackend({.device = 0, .memory_bytes = bytes});
}

}  // namespace

const std::vector<BackendCase>& AllBackends() {
  static const auto* cases = new std::vector<BackendCase>{
      {"cuda_late", [](int64_t bytes) { return Make(cuda_on_host::Schedule::kLate, bytes); }},
      {"cuda_portions", [](int64_t bytes) { return Make(cuda_on_host::Schedule::kPortions, bytes); }},
  };
  return *cases;
}

}  // namespace espalier::backend
