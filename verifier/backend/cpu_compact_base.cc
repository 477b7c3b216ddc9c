#define ESPALIER_ISA baseline
#define ESPALIER_VECTOR_BYTES 16
#include "verifier/backend/cpu_compact_kernels.inc"  // NOLINT
#include "verifier/backend/cpu_instruction_set.h"

namespace espalier::backend {

namespace avx2 {
extern const CompactKernels kCompactKernels;
}
namespace avx512 {
extern const CompactKernels kCompactKernels;
}

const CompactKernels& BestCompactKernels() {
  return HasAvx512() ? avx512::kCompactKernels
         : HasAvx2() ? avx2::kCompactKernels
                     : baseline::kCompactKernels;
}

}  // namespace espalier::backend
