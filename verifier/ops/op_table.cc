// The operator table. The last column is the lowering; nullptr means the operator evaluates but has no
// lowering.
#include "verifier/ops/op_table.h"

#include <algorithm>

#include "verifier/ops/lower_functions.h"
#include "verifier/ops/op_functions.h"
#include "verifier/ops/ops.h"

namespace espalier::ops {
namespace {

constexpr int kMany = 1 << 16;

// clang-format off
constexpr OpRow kRows[] = {
    // op, domain, inputs: at least, at most, infer, evaluate, lower
    {"Abs", "", 1, 1, InferSignedUnary, EvaluateSignedUnary, LowerAbs},
    {"Add", "", 2, 2, InferArithmetic, EvaluateArithmetic, LowerAdd},
    {"And", "", 2, 2, InferLogical, EvaluateLogical, nullptr},
    {"AveragePool", "", 1, 1, InferPool, EvaluateAveragePool, LowerAveragePool},
    {"BatchNormalization", "", 5, 5, InferBatchNormalization, EvaluateBatchNormalization, LowerBatchNormalization},
    {"Cast", "", 1, 1, InferCast, EvaluateCast, LowerCopy},
    {"Clip", "", 1, 3, InferClip, EvaluateClip, LowerClip},
    {"Concat", "", 1, kMany, InferConcat, EvaluateConcat, LowerMove},
    {"Constant", "", 0, 0, InferConstant, EvaluateConstant, nullptr},
    {"ConstantOfShape", "", 1, 1, InferConstantOfShape, EvaluateConstantOfShape, nullptr},
    {"Conv", "", 2, 3, InferConv, EvaluateConv, LowerConv},
    {"ConvTranspose", "", 2, 3, InferConvTranspose, EvaluateConvTranspose, LowerConvTranspose},
    {"Div", "", 2, 2, InferArithmetic, EvaluateArithmetic, LowerDiv},
    {"Dropout", "", 1, 3, InferDropout, EvaluateDropout, LowerCopy},
    {"Equal", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"Exp", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Expand", "", 2, 2, InferExpand, EvaluateExpand, LowerMove},
    {"Flatten", "", 1, 1, InferFlatten, EvaluateReshaping, LowerMove},
    {"Gather", "", 2, 2, InferGather, EvaluateGather, LowerMove},
    {"Gemm", "", 2, 3, InferGemm, EvaluateGemm, LowerGemm},
    {"GlobalAveragePool", "", 1, 1, InferPool, EvaluateAveragePool, LowerAveragePool},
    {"GlobalMaxPool", "", 1, 1, InferPool, EvaluateMaxPool, LowerMaxPool},
    {"Greater", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"GreaterOrEqual", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"Identity", "", 1, 1, InferIdentity, EvaluateIdentity, LowerCopy},
    {"LeakyRelu", "", 1, 1, InferUnary, EvaluateUnary, LowerLeakyRelu},
    {"Less", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"LessOrEqual", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"LinearMaskedRelu", "*", 4, 4, InferLinearMaskedRelu, EvaluateLinearMaskedRelu, LowerLinearMaskedRelu},
    {"MatMul", "", 2, 2, InferMatMul, EvaluateMatMul, LowerMatMul},
    {"Max", "", 1, kMany, InferArithmetic, EvaluateArithmetic, LowerMax},
    {"MaxPool", "", 1, 1, InferPool, EvaluateMaxPool, LowerMaxPool},
    {"Min", "", 1, kMany, InferArithmetic, EvaluateArithmetic, LowerMax},
    {"Mul", "", 2, 2, InferArithmetic, EvaluateArithmetic, LowerMul},
    {"Neg", "", 1, 1, InferSignedUnary, EvaluateSignedUnary, LowerNeg},
    {"Not", "", 1, 1, InferNot, EvaluateNot, nullptr},
    {"Or", "", 2, 2, InferLogical, EvaluateLogical, nullptr},
    {"PRelu", "", 2, 2, InferPRelu, EvaluatePRelu, LowerPRelu},
    {"Pad", "", 1, 4, InferPad, EvaluatePad, LowerMove},
    {"Pow", "", 2, 2, InferPow, EvaluatePow, nullptr},
    {"Range", "", 3, 3, InferRange, EvaluateRange, nullptr},
    {"ReduceMean", "", 1, 2, InferReduce, EvaluateReduce, LowerReduce},
    {"ReduceSum", "", 1, 2, InferReduce, EvaluateReduce, LowerReduce},
    {"Relu", "", 1, 1, InferUnary, EvaluateUnary, LowerRelu},
    {"Reshape", "", 2, 2, InferReshape, EvaluateReshaping, LowerMove},
    {"Resize", "", 1, 4, InferResize, EvaluateResize, LowerMove},
    {"Shape", "", 1, 1, InferShape, EvaluateShape, nullptr},
    {"Sigmoid", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Size", "", 1, 1, InferSize, EvaluateSize, nullptr},
    {"Slice", "", 1, 5, InferSlice, EvaluateSlice, LowerMove},
    {"Softmax", "", 1, 1, InferSoftmax, EvaluateSoftmax, nullptr},
    {"Split", "", 1, 2, InferSplit, EvaluateSplit, LowerMove},
    {"Sqrt", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Squeeze", "", 1, 2, InferSqueeze, EvaluateReshaping, LowerMove},
    {"Sub", "", 2, 2, InferArithmetic, EvaluateArithmetic, LowerAdd},
    {"Sum", "", 1, kMany, InferArithmetic, EvaluateArithmetic, LowerAdd},
    {"Tanh", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Transpose", "", 1, 1, InferTranspose, EvaluateTranspose, LowerMove},
    {"Unsqueeze", "", 1, 2, InferUnsqueeze, EvaluateReshaping, LowerMove},
    {"Upsample", "", 1, 2, InferResize, EvaluateResize, LowerMove},
    {"Where", "", 3, 3, InferWhere, EvaluateWhere, LowerWhere},
};
// clang-format on

bool IsStandard(std::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
}

}  // namespace

const OpRow* FindOp(std::string_view op, std::string_view domain) {
  const std::string_view wanted = IsStandard(domain) ? "" : "*";
  for (const OpRow& row : kRows) {
    if (row.op == op && row.domain == wanted) return &row;
  }
  return nullptr;
}

absl::Span<const OpRow> AllOps() {
  return kRows;
}

std::vector<std::string> SupportedOperators() {
  std::vector<std::string> names;
  for (const OpRow& row : kRows) {
    if (row.domain.empty() && row.lower != nullptr) names.emplace_back(row.op);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace espalier::ops
