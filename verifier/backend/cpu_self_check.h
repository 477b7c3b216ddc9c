// Compares the linear algebra libraries with plain loops before the first map that relies on them. Old BLAS
// builds are known to compute wrong results on some processors; a verifier must not start on one.
#pragma once

#include "absl/status/status.h"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {

class CpuSelfCheck {
 public:
  // INTERNAL when a library that `map` needs computes wrong results. Each library is checked once in a
  // process.
  absl::Status ForMap(const ir::LinearMap& map);
};

}  // namespace espalier::backend
