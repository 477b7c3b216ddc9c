#define ESPALIER_ISA avx512
#include "verifier/backend/cpu_rowwise.inc"        // NOLINT
#include "verifier/backend/cpu_training_rows.inc"  // NOLINT
