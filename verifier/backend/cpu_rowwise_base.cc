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

namespace {
bool HasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
}  // namespace

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
