// Compares a backend's products with plain loops on a few shapes: old or misconfigured libraries are known to
// compute wrong results on some processors, and reduced-precision products would void every proof.
#pragma once

#include "absl/status/status.h"
#include "verifier/backend/backend.h"

namespace espalier::cuda_kernels {

// INTERNAL when a product differs by more than its element type allows. Milliseconds.
absl::Status CheckProducts(backend::Backend& backend);

}  // namespace espalier::cuda_kernels
