#define ESPALIER_ISA avx2
#define ESPALIER_VECTOR_BYTES 32
#include "verifier/backend/cpu_compact_kernels.inc"  // NOLINT
