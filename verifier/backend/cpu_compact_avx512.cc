#define ESPALIER_ISA avx512
#define ESPALIER_VECTOR_BYTES 64
#include "verifier/backend/cpu_compact_kernels.inc"  // NOLINT
