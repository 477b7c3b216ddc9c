// The operator table. The last column is the lowering; nullptr means the operator evaluates but has no lowering.
#include "verifier/ops/op_table.h"

#include <algorithm>

#include "verifier/ops/op_functions.h"
#include "verifier/ops/ops.h"

namespace espalier::ops {
namespace {

constexpr int kMany = 1 << 16;

// clang-format off
constexpr OpRow kRows[] = {
    // op, domain, inputs: at least, at most, infer, evaluate, lower
    {"Abs", "", 1, 1, InferSignedUnary, EvaluateSignedUnary, nullptr},
    {"Add", "", 2, 2, InferArithmetic, EvaluateArithmetic, nullptr},
    {"And", "", 2, 2, InferLogical, EvaluateLogical, nullptr},
    {"AveragePool", "", 1, 1, InferPool, EvaluateAveragePool, nullptr},
    {"BatchNormalization", "", 5, 5, InferBatchNormalization, EvaluateBatchNormalization, nullptr},
    {"Cast", "", 1, 1, InferCast, EvaluateCast, nullptr},
    {"Clip", "", 1, 3, InferClip, EvaluateClip, nullptr},
    {"Concat", "", 1, kMany, InferConcat, EvaluateConcat, nullptr},
    {"Constant", "", 0, 0, InferConstant, EvaluateConstant, nullptr},
    {"ConstantOfShape", "", 1, 1, InferConstantOfShape, EvaluateConstantOfShape, nullptr},
    {"Conv", "", 2, 3, InferConv, EvaluateConv, nullptr},
    {"ConvTranspose", "", 2, 3, InferConvTranspose, EvaluateConvTranspose, nullptr},
    {"Div", "", 2, 2, InferArithmetic, EvaluateArithmetic, nullptr},
    {"Dropout", "", 1, 3, InferDropout, EvaluateDropout, nullptr},
    {"Equal", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"Exp", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Expand", "", 2, 2, InferExpand, EvaluateExpand, nullptr},
    {"Flatten", "", 1, 1, InferFlatten, EvaluateReshaping, nullptr},
    {"Gather", "", 2, 2, InferGather, EvaluateGather, nullptr},
    {"Gemm", "", 2, 3, InferGemm, EvaluateGemm, nullptr},
    {"GlobalAveragePool", "", 1, 1, InferPool, EvaluateAveragePool, nullptr},
    {"GlobalMaxPool", "", 1, 1, InferPool, EvaluateMaxPool, nullptr},
    {"Greater", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"GreaterOrEqual", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"Identity", "", 1, 1, InferIdentity, EvaluateIdentity, nullptr},
    {"LeakyRelu", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Less", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"LessOrEqual", "", 2, 2, InferCompare, EvaluateCompare, nullptr},
    {"LinearMaskedRelu", "*", 4, 4, InferLinearMaskedRelu, EvaluateLinearMaskedRelu, nullptr},
    {"MatMul", "", 2, 2, InferMatMul, EvaluateMatMul, nullptr},
    {"Max", "", 1, kMany, InferArithmetic, EvaluateArithmetic, nullptr},
    {"MaxPool", "", 1, 1, InferPool, EvaluateMaxPool, nullptr},
    {"Min", "", 1, kMany, InferArithmetic, EvaluateArithmetic, nullptr},
    {"Mul", "", 2, 2, InferArithmetic, EvaluateArithmetic, nullptr},
    {"Neg", "", 1, 1, InferSignedUnary, EvaluateSignedUnary, nullptr},
    {"Not", "", 1, 1, InferNot, EvaluateNot, nullptr},
    {"Or", "", 2, 2, InferLogical, EvaluateLogical, nullptr},
    {"PRelu", "", 2, 2, InferPRelu, EvaluatePRelu, nullptr},
    {"Pad", "", 1, 4, InferPad, EvaluatePad, nullptr},
    {"Pow", "", 2, 2, InferPow, EvaluatePow, nullptr},
    {"Range", "", 3, 3, InferRange, EvaluateRange, nullptr},
    {"ReduceMean", "", 1, 2, InferReduce, EvaluateReduce, nullptr},
    {"ReduceSum", "", 1, 2, InferReduce, EvaluateReduce, nullptr},
    {"Relu", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Reshape", "", 2, 2, InferReshape, EvaluateReshaping, nullptr},
    {"Resize", "", 2, 4, InferResize, EvaluateResize, nullptr},
    {"Shape", "", 1, 1, InferShape, EvaluateShape, nullptr},
    {"Sigmoid", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Size", "", 1, 1, InferSize, EvaluateSize, nullptr},
    {"Slice", "", 1, 5, InferSlice, EvaluateSlice, nullptr},
    {"Softmax", "", 1, 1, InferSoftmax, EvaluateSoftmax, nullptr},
    {"Split", "", 1, 2, InferSplit, EvaluateSplit, nullptr},
    {"Sqrt", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Squeeze", "", 1, 2, InferSqueeze, EvaluateReshaping, nullptr},
    {"Sub", "", 2, 2, InferArithmetic, EvaluateArithmetic, nullptr},
    {"Sum", "", 1, kMany, InferArithmetic, EvaluateArithmetic, nullptr},
    {"Tanh", "", 1, 1, InferUnary, EvaluateUnary, nullptr},
    {"Transpose", "", 1, 1, InferTranspose, EvaluateTranspose, nullptr},
    {"Unsqueeze", "", 1, 2, InferUnsqueeze, EvaluateReshaping, nullptr},
    {"Upsample", "", 1, 2, InferResize, EvaluateResize, nullptr},
    {"Where", "", 3, 3, InferWhere, EvaluateWhere, nullptr},
};
// clang-format on

bool IsStandard(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

}  // namespace

const OpRow* FindOp(std::string_view op, std::string_view domain) {
  const std::string_view wanted = IsStandard(domain) ? "" : "*";
  for (const OpRow& row : kRows) {
    if (row.op == op && row.domain == wanted) return &row;
  }
  return nullptr;
}

absl::Span<const OpRow> AllOps() { return kRows; }

std::vector<std::string> SupportedOperators() {
  std::vector<std::string> names;
  for (const OpRow& row : kRows) {
    if (row.domain.empty() && row.lower != nullptr) names.emplace_back(row.op);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace espalier::ops
