#include "cuda_kernels/cuda_backend.h"

namespace espalier::cuda_kernels {

bool TriedOnCards() {
  return false;  // docs/cuda.md, "On a card"
}

}  // namespace espalier::cuda_kernels
