// The lower functions that op_table.cc refers to, by family; each family has its own file. Contract: see
// Lowering (lowering.h). UNIMPLEMENTED, naming the node, for uses that have no exact form as hinges and
// linear maps.
#pragma once

#include "absl/status/status.h"
#include "verifier/ops/op_table.h"

namespace espalier::ops {

// lower_elementwise.cc
absl::Status LowerAdd(const OpContext& context, Lowering& lowering);  // Add, Sub, Sum
absl::Status LowerMul(const OpContext& context, Lowering& lowering);  // one factor constant
absl::Status LowerDiv(const OpContext& context, Lowering& lowering);  // constant divisor
absl::Status LowerNeg(const OpContext& context, Lowering& lowering);
absl::Status LowerWhere(const OpContext& context, Lowering& lowering);  // constant condition
absl::Status LowerBatchNormalization(const OpContext& context, Lowering& lowering);

// lower_linear.cc
absl::Status LowerGemm(const OpContext& context, Lowering& lowering);
absl::Status LowerMatMul(const OpContext& context, Lowering& lowering);

// lower_conv.cc
absl::Status LowerConv(const OpContext& context, Lowering& lowering);
absl::Status LowerConvTranspose(const OpContext& context, Lowering& lowering);

// lower_activation.cc
absl::Status LowerRelu(const OpContext& context, Lowering& lowering);
absl::Status LowerLeakyRelu(const OpContext& context, Lowering& lowering);
absl::Status LowerPRelu(const OpContext& context, Lowering& lowering);
absl::Status LowerAbs(const OpContext& context, Lowering& lowering);
absl::Status LowerClip(const OpContext& context, Lowering& lowering);
absl::Status LowerLinearMaskedRelu(const OpContext& context, Lowering& lowering);

// lower_max.cc: element-wise maxima and minima, and maxima over windows.
absl::Status LowerMax(const OpContext& context, Lowering& lowering);  // Max, Min
absl::Status LowerMaxPool(const OpContext& context, Lowering& lowering);

// lower_reduce.cc
absl::Status LowerAveragePool(const OpContext& context, Lowering& lowering);
absl::Status LowerReduce(const OpContext& context, Lowering& lowering);  // ReduceSum, ReduceMean

// lower_move.cc: operators that only move elements (Reshape, Transpose, Slice, Concat, Pad, nearest Resize,
// ...).
absl::Status LowerMove(const OpContext& context, Lowering& lowering);
// Operators whose value is their first input's: Identity, Dropout, Cast between floating-point types.
absl::Status LowerCopy(const OpContext& context, Lowering& lowering);

}  // namespace espalier::ops
