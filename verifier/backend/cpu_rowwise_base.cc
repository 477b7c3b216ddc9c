#include "verifier/backend/cpu_instruction_set.h"

#define ESPALIER_ISA baseline
#include "verifier/backend/cpu_rowwise.inc"        // NOLINT
#include "verifier/backend/cpu_training_rows.inc"  // NOLINT

namespace espalier::backend {

namespace avx2 {
extern const RowwiseTable<float> kTableF32;
extern const RowwiseTable<double> kTableF64;
extern const TrainingTable kTrainingTable;
}  // namespace avx2
namespace avx512 {
extern const RowwiseTable<float> kTableF32;
extern const RowwiseTable<double> kTableF64;
extern const TrainingTable kTrainingTable;
}  // namespace avx512

template <>
const RowwiseTable<float>& BestRowwiseTable<float>(const char** name) {
  if (name != nullptr) *name = HasAvx512() ? "avx512" : HasAvx2() ? "avx2" : "baseline";
  return HasAvx512() ? avx512::kTableF32 : HasAvx2() ? avx2::kTableF32 : baseline::kTableF32;
}

template <>
const RowwiseTable<double>& BestRowwiseTable<double>(const char** name) {
  if (name != nullptr) *name = HasAvx512() ? "avx512" : HasAvx2() ? "avx2" : "baseline";
  return HasAvx512() ? avx512::kTableF64 : HasAvx2() ? avx2::kTableF64 : baseline::kTableF64;
}

const TrainingTable& BestTrainingTable() {
  return HasAvx512() ? avx512::kTrainingTable : HasAvx2() ? avx2::kTrainingTable : baseline::kTrainingTable;
}

}  // namespace espalier::backend
