// Gemm, MatMul, Conv, ConvTranspose, pooling, normalisation, reduction.
#include "eval_node.h"

namespace espalier::ops {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

using Ints = std::vector<int64_t>;

TEST(EvalGemm, AppliesTransposesAndFactors) {
  const Tensor a = Tensor::FromFloats({1, 2}, {1, 2});
  const Tensor b = Tensor::FromFloats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor b_transposed = Tensor::FromFloats({3, 2}, {1, 4, 2, 5, 3, 6});
  EXPECT_THAT(Numbers(RunNode("Gemm", {}, {a, b})), ElementsAre(9, 12, 15));
  EXPECT_THAT(Numbers(RunNode("Gemm", {{"transB", int64_t{1}}}, {a, b_transposed})), ElementsAre(9, 12, 15));
  EXPECT_THAT(Numbers(RunNode("Gemm", {{"alpha", 2.0}, {"beta", 0.5}}, {a, b, Vector({2, 4, 6})})),
              ElementsAre(19, 26, 33));
  const Tensor a_transposed = Tensor::FromFloats({2, 1}, {1, 2});
  EXPECT_THAT(Numbers(RunNode("Gemm", {{"transA", int64_t{1}}}, {a_transposed, b})), ElementsAre(9, 12, 15));
}

TEST(EvalGemm, LongSumsAgreeWhicheverWayWeightsLie) {
  const int64_t k = 37;
  const Tensor a = Tensor::FromFloats({1, k}, Counting(k));
  const Tensor row = Tensor::FromFloats({k, 1}, Counting(k));
  const Tensor column = Tensor::FromFloats({1, k}, Counting(k));
  EXPECT_THAT(Numbers(RunNode("Gemm", {}, {a, row})), ElementsAre(16206));
  EXPECT_THAT(Numbers(RunNode("Gemm", {{"transB", int64_t{1}}}, {a, column})), ElementsAre(16206));
}

TEST(EvalMatMul, HandlesVectorsAndBatches) {
  const Tensor matrix = Tensor::FromFloats({2, 2}, {1, 2, 3, 4});
  const auto row = RunNode("MatMul", {}, {Vector({1, 1}), matrix});
  EXPECT_EQ(row->shape, Shape{2});
  EXPECT_THAT(Numbers(row), ElementsAre(4, 6));
  EXPECT_THAT(Numbers(RunNode("MatMul", {}, {matrix, Vector({1, 1})})), ElementsAre(3, 7));
  const Tensor batch = Tensor::FromFloats({2, 1, 2}, {1, 0, 0, 1});
  const auto batched = RunNode("MatMul", {}, {batch, matrix});
  EXPECT_EQ(batched->shape, (Shape{2, 1, 2}));
  EXPECT_THAT(Numbers(batched), ElementsAre(1, 2, 3, 4));
}

TEST(EvalConv, PadsAndStrides) {
  const Tensor x = Tensor::FromFloats({1, 1, 3, 3}, Counting(9));
  const Tensor ones = Tensor::FromFloats({1, 1, 3, 3}, std::vector<float>(9, 1));
  const Attributes same = {{"pads", Ints{1, 1, 1, 1}}};
  EXPECT_THAT(Numbers(RunNode("Conv", same, {x, ones})), ElementsAre(8, 15, 12, 21, 36, 27, 20, 33, 24));
  const Attributes strided = {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}};
  EXPECT_THAT(Numbers(RunNode("Conv", strided, {x, ones, Vector({100})})), ElementsAre(108, 112, 120, 124));
  EXPECT_THAT(Numbers(RunNode("Conv", {{"auto_pad", std::string("SAME_UPPER")}}, {x, ones})),
              ElementsAre(8, 15, 12, 21, 36, 27, 20, 33, 24));
}

TEST(EvalConv, DilatesInOneDimension) {
  const Tensor x = Tensor::FromFloats({1, 1, 5}, {1, 2, 3, 4, 5});
  const Tensor w = Tensor::FromFloats({1, 1, 2}, {1, 10});
  const auto result = RunNode("Conv", {{"dilations", Ints{2}}}, {x, w});
  EXPECT_EQ(result->shape, (Shape{1, 1, 3}));
  EXPECT_THAT(Numbers(result), ElementsAre(31, 42, 53));
}

TEST(EvalConv, SameLowerPadsTheBeginning) {
  const Tensor x = Tensor::FromFloats({1, 1, 3}, {1, 2, 3});
  const Tensor w = Tensor::FromFloats({1, 1, 2}, {1, 10});
  EXPECT_THAT(Numbers(RunNode("Conv", {{"auto_pad", std::string("SAME_LOWER")}}, {x, w})),
              ElementsAre(10, 21, 32));
  EXPECT_THAT(Numbers(RunNode("Conv", {{"auto_pad", std::string("SAME_UPPER")}}, {x, w})),
              ElementsAre(21, 32, 3));
}

TEST(EvalConv, GroupsSeeOnlyTheirChannels) {
  const Tensor x = Tensor::FromFloats({1, 4, 1}, {1, 2, 3, 4});
  const Tensor w = Tensor::FromFloats({2, 2, 1}, {1, 1, 1, 10});
  EXPECT_THAT(Numbers(RunNode("Conv", {{"group", int64_t{2}}}, {x, w})), ElementsAre(3, 43));
}

TEST(EvalConv, RefusesWhatDoesNotFit) {
  const Tensor x = Tensor::FromFloats({1, 1, 2}, {1, 2});
  const Tensor w = Tensor::FromFloats({1, 1, 3}, {1, 1, 1});
  EXPECT_EQ(RunNode("Conv", {}, {x, w}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunNode("Conv", {{"group", int64_t{2}}}, {x, w}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunNode("Conv", {{"pads", Ints{-1, 0}}}, {x, w}).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(EvalConvTranspose, SpreadsEveryPixel) {
  const Tensor x = Tensor::FromFloats({1, 1, 3}, {1, 2, 3});
  const Tensor w = Tensor::FromFloats({1, 1, 3}, {1, 10, 100});
  const Attributes stride = {{"strides", Ints{2}}};
  EXPECT_THAT(Numbers(RunNode("ConvTranspose", stride, {x, w})), ElementsAre(1, 10, 102, 20, 203, 30, 300));
  const Attributes padded = {{"strides", Ints{2}}, {"pads", Ints{1, 1}}, {"output_padding", Ints{1}}};
  EXPECT_THAT(Numbers(RunNode("ConvTranspose", padded, {x, w})), ElementsAre(10, 102, 20, 203, 30, 300));
}

TEST(EvalConvTranspose, DerivesPadsFromTheOutputShape) {
  const Tensor x = Tensor::FromFloats({1, 1, 3}, {1, 2, 3});
  const Tensor w = Tensor::FromFloats({1, 1, 3}, {1, 10, 100});
  Attributes attributes = {{"strides", Ints{2}}, {"output_shape", Ints{6}}};
  EXPECT_THAT(Numbers(RunNode("ConvTranspose", attributes, {x, w})), ElementsAre(10, 102, 20, 203, 30, 300));
  attributes["auto_pad"] = std::string("SAME_UPPER");
  EXPECT_THAT(Numbers(RunNode("ConvTranspose", attributes, {x, w})), ElementsAre(1, 10, 102, 20, 203, 30));
  attributes = {{"strides", Ints{2}}, {"output_shape", Ints{8}}};
  EXPECT_THAT(Numbers(RunNode("ConvTranspose", attributes, {x, w})),
              ElementsAre(1, 10, 102, 20, 203, 30, 300, 0));
}

TEST(EvalConvTranspose, GroupsMapToTheirOutputs) {
  const Tensor x = Tensor::FromFloats({1, 2, 1}, {1, 2});
  const Tensor w = Tensor::FromFloats({2, 2, 1}, {1, 10, 100, 1000});
  EXPECT_THAT(Numbers(RunNode("ConvTranspose", {{"group", int64_t{2}}}, {x, w})),
              ElementsAre(1, 10, 200, 2000));
}

TEST(EvalPool, MaximumIgnoresPadding) {
  const Tensor x = Tensor::FromFloats({1, 1, 2, 2}, {-1, -2, -3, -4});
  const Attributes pads = {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 1, 0, 0}}};
  EXPECT_THAT(Numbers(RunNode("MaxPool", pads, {x})), ElementsAre(-1, -1, -1, -1));
  EXPECT_THAT(Numbers(RunNode("GlobalMaxPool", {}, {x})), ElementsAre(-1));
}

TEST(EvalPool, AverageCountsPaddingOnlyWhenAsked) {
  const Tensor x = Tensor::FromFloats({1, 1, 3}, {3, 6, 9});
  Attributes attributes = {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 0}}};
  EXPECT_THAT(Numbers(RunNode("AveragePool", attributes, {x})), ElementsAre(3, 4.5, 7.5));
  attributes["count_include_pad"] = int64_t{1};
  EXPECT_THAT(Numbers(RunNode("AveragePool", attributes, {x})), ElementsAre(1.5, 4.5, 7.5));
  EXPECT_THAT(Numbers(RunNode("GlobalAveragePool", {}, {x})), ElementsAre(6));
}

TEST(EvalPool, CeilModeKeepsThePartialWindow) {
  const Tensor x = Tensor::FromFloats({1, 1, 3}, {1, 2, 9});
  Attributes attributes = {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}};
  EXPECT_THAT(Numbers(RunNode("AveragePool", attributes, {x})), ElementsAre(1.5));
  attributes["ceil_mode"] = int64_t{1};
  EXPECT_THAT(Numbers(RunNode("AveragePool", attributes, {x})), ElementsAre(1.5, 9));
}

TEST(EvalBatchNormalization, UsesStoredStatistics) {
  const Tensor x = Tensor::FromFloats({1, 2, 1, 2}, {1, 3, 1, 3});
  const std::vector<Tensor> operands = {x, Vector({2, 1}), Vector({0, 5}), Vector({1, 1}), Vector({4, 1})};
  EXPECT_THAT(Numbers(RunNode("BatchNormalization", {{"epsilon", 0.0}}, operands)), ElementsAre(0, 2, 5, 7));
}

TEST(EvalBatchNormalization, RefusesANegativeVariance) {
  const std::vector<Tensor> operands = {Tensor::FromFloats({1, 1}, {1}), Vector({1}), Vector({0}),
                                        Vector({0}), Vector({-1})};
  EXPECT_EQ(RunNode("BatchNormalization", {}, operands).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EvalSoftmax, NormalisesAlongTheAxis) {
  const Tensor x = Tensor::FromFloats({2, 2}, {0, 0, 1000, 1000});
  EXPECT_THAT(Numbers(RunNode("Softmax", {}, {x})), ElementsAre(0.5, 0.5, 0.5, 0.5));
  const Tensor y = Tensor::FromFloats({1, 2, 2}, {0, 0, 0, 0});
  EXPECT_THAT(Numbers(RunNode("Softmax", {}, {y}, {.opset = 12})), ElementsAre(0.25, 0.25, 0.25, 0.25));
}

TEST(EvalReduce, TakesAxesAsAttributeOrInput) {
  const Tensor x = Tensor::FromFloats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(Numbers(RunNode("ReduceSum", {}, {x, Integers({1})})), ElementsAre(6, 15));
  EXPECT_THAT(Numbers(RunNode("ReduceMean", {{"axes", Ints{0}}}, {x})), ElementsAre(2.5, 3.5, 4.5));
  const auto all = RunNode("ReduceSum", {{"keepdims", int64_t{0}}}, {x});
  EXPECT_EQ(all->shape, Shape{});
  EXPECT_THAT(Numbers(all), ElementsAre(21));
  EXPECT_THAT(Numbers(RunNode("ReduceSum", {{"noop_with_empty_axes", int64_t{1}}}, {Vector({1, 2})})),
              ElementsAre(1, 2));
}

TEST(EvalReduce, RefusesAxesThatAreNotConstant) {
  const Tensor x = Tensor::FromFloats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(RunNode("ReduceSum", {}, {x, Integers({1})}, {.free_inputs = 2}).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace espalier::ops
