// The infer and evaluate functions that op_table.cc refers to, by family; each family has its own file.
//
// Infer functions may rely on: the number of inputs is within the row's range, every present input has a
// known shape. Evaluate functions may rely on: the infer function succeeded, inputs have the inferred shapes
// and types (float32 widened to float64 when context.widened()).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "verifier/ops/op_table.h"

namespace espalier::ops {

using InferResult = absl::StatusOr<std::vector<OutputInfo>>;
using EvaluateResult = absl::StatusOr<std::vector<Tensor>>;
using Inputs = absl::Span<const Tensor* const>;

// eval_binary.cc: two operands, numpy broadcasting.
InferResult InferArithmetic(const OpContext& context);  // Add, Sub, Mul, Div, Sum, Max, Min
InferResult InferPow(const OpContext& context);
InferResult InferCompare(const OpContext& context);
InferResult InferLogical(const OpContext& context);
EvaluateResult EvaluateArithmetic(const OpContext& context, Inputs inputs);
EvaluateResult EvaluatePow(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateCompare(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateLogical(const OpContext& context, Inputs inputs);

// eval_select.cc: Where, and the graft node LinearMaskedRelu(x, mask, slope, bias).
InferResult InferWhere(const OpContext& context);
InferResult InferLinearMaskedRelu(const OpContext& context);
EvaluateResult EvaluateWhere(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateLinearMaskedRelu(const OpContext& context, Inputs inputs);

// eval_unary.cc: one operand, element by element.
InferResult InferUnary(const OpContext& context);        // float operand, same type out
InferResult InferSignedUnary(const OpContext& context);  // also integers: Neg, Abs
InferResult InferNot(const OpContext& context);
InferResult InferClip(const OpContext& context);
InferResult InferPRelu(const OpContext& context);
EvaluateResult EvaluateUnary(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateSignedUnary(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateNot(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateClip(const OpContext& context, Inputs inputs);
EvaluateResult EvaluatePRelu(const OpContext& context, Inputs inputs);

// eval_copy.cc: Identity, Dropout (inference), Cast.
InferResult InferIdentity(const OpContext& context);
InferResult InferDropout(const OpContext& context);
InferResult InferCast(const OpContext& context);
EvaluateResult EvaluateIdentity(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateDropout(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateCast(const OpContext& context, Inputs inputs);

// eval_linear.cc
InferResult InferGemm(const OpContext& context);
InferResult InferMatMul(const OpContext& context);
EvaluateResult EvaluateGemm(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateMatMul(const OpContext& context, Inputs inputs);

// eval_conv.cc
InferResult InferConv(const OpContext& context);
InferResult InferConvTranspose(const OpContext& context);
EvaluateResult EvaluateConv(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateConvTranspose(const OpContext& context, Inputs inputs);

// eval_pool.cc
InferResult InferPool(const OpContext& context);
EvaluateResult EvaluateMaxPool(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateAveragePool(const OpContext& context, Inputs inputs);

// eval_normalise.cc
InferResult InferBatchNormalization(const OpContext& context);
InferResult InferSoftmax(const OpContext& context);
EvaluateResult EvaluateBatchNormalization(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateSoftmax(const OpContext& context, Inputs inputs);

// eval_reduce.cc
InferResult InferReduce(const OpContext& context);
EvaluateResult EvaluateReduce(const OpContext& context, Inputs inputs);

// eval_shape.cc: the elements stay where they are, the shape changes.
InferResult InferFlatten(const OpContext& context);
InferResult InferReshape(const OpContext& context);
InferResult InferSqueeze(const OpContext& context);
InferResult InferUnsqueeze(const OpContext& context);
EvaluateResult EvaluateReshaping(const OpContext& context, Inputs inputs);

// eval_constant.cc: values that depend on shapes and attributes only.
InferResult InferShape(const OpContext& context);
InferResult InferSize(const OpContext& context);
InferResult InferConstant(const OpContext& context);
InferResult InferConstantOfShape(const OpContext& context);
InferResult InferRange(const OpContext& context);
EvaluateResult EvaluateShape(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateSize(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateConstant(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateConstantOfShape(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateRange(const OpContext& context, Inputs inputs);

// eval_move.cc, eval_slice.cc, eval_pad.cc, eval_resize.cc: every output element is a copy of an input
// element.
InferResult InferTranspose(const OpContext& context);
InferResult InferConcat(const OpContext& context);
InferResult InferSplit(const OpContext& context);
InferResult InferExpand(const OpContext& context);
InferResult InferSlice(const OpContext& context);
InferResult InferGather(const OpContext& context);
InferResult InferPad(const OpContext& context);
InferResult InferResize(const OpContext& context);
EvaluateResult EvaluateTranspose(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateConcat(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateSplit(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateExpand(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateSlice(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateGather(const OpContext& context, Inputs inputs);
EvaluateResult EvaluatePad(const OpContext& context, Inputs inputs);
EvaluateResult EvaluateResize(const OpContext& context, Inputs inputs);

}  // namespace espalier::ops
