#include <cmath>

#include "eval_node.h"

namespace espalier::ops {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

TEST(EvalArithmetic, BroadcastsBothOperands) {
  const Tensor column = Tensor::FromFloats({2, 1}, {10, 20});
  EXPECT_THAT(Numbers(RunNode("Add", {}, {Vector({1, 2, 3}), column})), ElementsAre(11, 12, 13, 21, 22, 23));
  EXPECT_THAT(Numbers(RunNode("Sub", {}, {Vector({1, 2, 3}), column})),
              ElementsAre(-9, -8, -7, -19, -18, -17));
  EXPECT_THAT(Numbers(RunNode("Mul", {}, {Vector({1, 2, 3}), Vector({2})})), ElementsAre(2, 4, 6));
  EXPECT_THAT(Numbers(RunNode("Div", {}, {Vector({1, 2, 3}), Vector({2})})), ElementsAre(0.5, 1, 1.5));
}

TEST(EvalArithmetic, TakesAnyNumberOfOperands) {
  const std::vector<Tensor> operands = {Vector({1, 5, 2}), Vector({4, 0, 3}), Vector({2, 2, 2})};
  EXPECT_THAT(Numbers(RunNode("Sum", {}, operands)), ElementsAre(7, 7, 7));
  EXPECT_THAT(Numbers(RunNode("Max", {}, operands)), ElementsAre(4, 5, 3));
  EXPECT_THAT(Numbers(RunNode("Min", {}, operands)), ElementsAre(1, 0, 2));
}

TEST(EvalArithmetic, RefusesShapesThatDoNotBroadcast) {
  const auto result = RunNode("Add", {}, {Vector({1, 2}), Vector({1, 2, 3})});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(result.status().message().find("node 'n' (Add)"), absl::string_view::npos) << result.status();
}

TEST(EvalArithmetic, IntegersWrapAndNeverDivideByZero) {
  const Tensor one = Integers({1}), zero = Integers({0});
  EXPECT_EQ(RunNode("Div", {}, {one, zero}).status().code(), absl::StatusCode::kInvalidArgument);
  const Tensor least = Integers({std::numeric_limits<int64_t>::min()});
  EXPECT_EQ(RunNode("Div", {}, {least, Integers({-1})})->AsInt(0), std::numeric_limits<int64_t>::min());
}

TEST(EvalArithmetic, ModelPrecisionRoundsAndFloat64DoesNot) {
  const std::vector<Tensor> operands = {Vector({16777216.0F}), Vector({1})};
  EXPECT_THAT(Numbers(RunNode("Add", {}, operands)), ElementsAre(16777216.0));
  EXPECT_THAT(Numbers(RunNode("Add", {}, operands, {}, Precision::kFloat64)), ElementsAre(16777217.0));
}

TEST(EvalPow, TakesRealExponents) {
  EXPECT_THAT(Numbers(RunNode("Pow", {}, {Vector({2, 9}), Vector({3, 0.5F})})), ElementsAre(8, 3));
}

TEST(EvalUnary, ComputesEachFunction) {
  const std::vector<Tensor> x = {Vector({-2, 0, 3})};
  EXPECT_THAT(Numbers(RunNode("Relu", {}, x)), ElementsAre(0, 0, 3));
  EXPECT_THAT(Numbers(RunNode("LeakyRelu", {{"alpha", 0.5}}, x)), ElementsAre(-1, 0, 3));
  EXPECT_THAT(Numbers(RunNode("Abs", {}, x)), ElementsAre(2, 0, 3));
  EXPECT_THAT(Numbers(RunNode("Neg", {}, x)), ElementsAre(2, 0, -3));
  const std::vector<double> sigmoid = {1 / (1 + std::exp(2.0)), 0.5, 1 / (1 + std::exp(-3.0))};
  EXPECT_THAT(Numbers(RunNode("Sigmoid", {}, x)), Pointwise(DoubleNear(1e-7), sigmoid));
  EXPECT_THAT(Numbers(RunNode("Tanh", {}, x)),
              Pointwise(DoubleNear(1e-7), std::vector<double>{std::tanh(-2.0), 0, std::tanh(3.0)}));
  EXPECT_THAT(Numbers(RunNode("Exp", {}, {Vector({0})})), ElementsAre(1));
  EXPECT_THAT(Numbers(RunNode("Sqrt", {}, {Vector({9})})), ElementsAre(3));
}

TEST(EvalUnary, SigmoidDoesNotOverflow) {
  EXPECT_THAT(Numbers(RunNode("Sigmoid", {}, {Vector({-1000, 1000})})), ElementsAre(0, 1));
}

TEST(EvalUnary, NanStaysNan) {
  EXPECT_TRUE(std::isnan(Numbers(RunNode("Relu", {}, {Vector({NAN})}))[0]));
  EXPECT_TRUE(std::isnan(Numbers(RunNode("Clip", {}, {Vector({NAN}), Vector({0}), Vector({1})}))[0]));
}

TEST(EvalClip, ReadsBothForms) {
  const Tensor x = Vector({-2, 0.5, 3});
  const Tensor low = Tensor::FromFloats({}, {0}), high = Tensor::FromFloats({}, {1});
  EXPECT_THAT(Numbers(RunNode("Clip", {}, {x, low, high})), ElementsAre(0, 0.5, 1));
  EXPECT_THAT(Numbers(RunNode("Clip", {}, {x, Absent(), high})), ElementsAre(-2, 0.5, 1));
  EXPECT_THAT(Numbers(RunNode("Clip", {{"min", 0.0}}, {x}, {.opset = 10})), ElementsAre(0, 0.5, 3));
}

TEST(EvalClip, RefusesBoundsThatAreNotConstant) {
  const auto result = RunNode("Clip", {}, {Vector({1}), Tensor::FromFloats({}, {0})}, {.free_inputs = 2});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnimplemented);
}

TEST(EvalPRelu, HasASlopePerChannel) {
  const Tensor x = Tensor::FromFloats({1, 2, 2}, {-1, 1, -1, 1});
  const Tensor slope = Tensor::FromFloats({2, 1}, {0.5, 3});
  EXPECT_THAT(Numbers(RunNode("PRelu", {}, {x, slope})), ElementsAre(-0.5, 1, -3, 1));
}

TEST(EvalWhere, PicksByCondition) {
  const Tensor condition = Tensor::FromBools({2, 1}, {1, 0});
  const auto result = RunNode("Where", {}, {condition, Vector({1, 2}), Vector({8, 9})}, {.free_inputs = 3});
  EXPECT_THAT(Numbers(result), ElementsAre(1, 2, 8, 9));
}

TEST(EvalCompare, GivesBooleans) {
  const std::vector<Tensor> operands = {Vector({1, 2, 3}), Vector({2, 2, 2})};
  EXPECT_THAT(Numbers(RunNode("Greater", {}, operands)), ElementsAre(0, 0, 1));
  EXPECT_THAT(Numbers(RunNode("GreaterOrEqual", {}, operands)), ElementsAre(0, 1, 1));
  EXPECT_THAT(Numbers(RunNode("Less", {}, operands)), ElementsAre(1, 0, 0));
  EXPECT_THAT(Numbers(RunNode("LessOrEqual", {}, operands)), ElementsAre(1, 1, 0));
  EXPECT_THAT(Numbers(RunNode("Equal", {}, operands)), ElementsAre(0, 1, 0));
}

TEST(EvalLogical, CombinesBooleans) {
  const std::vector<Tensor> operands = {Tensor::FromBools({4}, {0, 0, 1, 1}),
                                        Tensor::FromBools({4}, {0, 1, 0, 1})};
  EXPECT_THAT(Numbers(RunNode("And", {}, operands)), ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(Numbers(RunNode("Or", {}, operands)), ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(Numbers(RunNode("Not", {}, {operands[0]})), ElementsAre(1, 1, 0, 0));
}

TEST(EvalGraft, MaskedNeuronsFollowTheirLine) {
  const std::vector<float> mask = {0, 1, 1, 0};
  const Tensor x = Tensor::FromFloats({1, 4}, {-1, -1, 2, 2});
  const Tensor slope = Vector({9, 0.5, 0.5, 9}), bias = Vector({9, 1, 1, 9});
  const NodeSetup custom = {.domain = "graft"};
  const auto expected = ElementsAre(0, 0.5, 2, 2);
  EXPECT_THAT(Numbers(RunNode("LinearMaskedRelu", {}, {x, Vector(mask), slope, bias}, custom)), expected);
  const Tensor bools = Tensor::FromBools({4}, {0, 1, 1, 0});
  EXPECT_THAT(Numbers(RunNode("LinearMaskedRelu", {}, {x, bools, slope, bias}, custom)), expected);
}

TEST(EvalGraft, IsNoOperatorOfTheStandardDomainAndTakesNoHalfMask) {
  const std::vector<Tensor> half = {Vector({1}), Vector({0.5}), Vector({1}), Vector({0})};
  EXPECT_EQ(RunNode("LinearMaskedRelu", {}, half).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(RunNode("LinearMaskedRelu", {}, half, {.domain = "graft"}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(EvalCast, ConvertsBetweenTypes) {
  EXPECT_THAT(Numbers(RunNode("Cast", {{"to", int64_t{7}}}, {Vector({-1.5, 2.5})})), ElementsAre(-1, 2));
  EXPECT_THAT(Numbers(RunNode("Cast", {{"to", int64_t{9}}}, {Vector({0, 2.5})})), ElementsAre(0, 1));
  EXPECT_EQ(RunNode("Cast", {{"to", int64_t{7}}}, {Vector({1e30F})}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunNode("Cast", {{"to", int64_t{10}}}, {Vector({1})}).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(EvalCast, ToFloat32DoesNotRoundInFloat64Precision) {
  const Tensor third = Tensor::FromDoubles({1}, {1.0 / 3});
  const Attributes to_float = {{"to", int64_t{1}}};
  EXPECT_EQ(Numbers(RunNode("Cast", to_float, {third}))[0], static_cast<double>(1.0F / 3));
  EXPECT_EQ(Numbers(RunNode("Cast", to_float, {third}, {}, Precision::kFloat64))[0], 1.0 / 3);
}

TEST(EvalDropout, PassesItsInputOn) {
  const auto outputs = RunOutputs("Dropout", {}, {Vector({1, 2})}, {.opset = 12, .outputs = 2});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT((*outputs)[0].ToDoubles(), ElementsAre(1, 2));
  EXPECT_EQ((*outputs)[1].type, ElementType::kBool);
  const Tensor training = Tensor::FromBools({}, {1});
  EXPECT_EQ(RunNode("Dropout", {}, {Vector({1}), Absent(), training}).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace espalier::ops
