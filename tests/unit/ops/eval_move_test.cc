// Operators that move elements or change shapes.
#include "eval_node.h"

namespace espalier::ops {
namespace {

using testing::ElementsAre;

using Ints = std::vector<int64_t>;

const Tensor& Grid() {
  static const Tensor grid = Tensor::FromFloats({2, 3}, Counting(6));
  return grid;
}

Shape ShapeOf(const absl::StatusOr<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  return tensor.ok() ? tensor->shape : Shape{-7};
}

TEST(EvalShape, ReshapeCopiesAndInfersDimensions) {
  EXPECT_EQ(ShapeOf(RunNode("Reshape", {}, {Grid(), Integers({3, -1})})), (Shape{3, 2}));
  EXPECT_EQ(ShapeOf(RunNode("Reshape", {}, {Grid(), Integers({0, 1, -1})})), (Shape{2, 1, 3}));
  for (const Ints& wrong :
       {Ints{4, -1}, Ints{-1, -1}, Ints{2, 2}, Ints{-2, -3}, Ints{1 << 30, 1 << 30, 1 << 30}}) {
    EXPECT_EQ(RunNode("Reshape", {}, {Grid(), Integers(wrong)}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  const NodeSetup dynamic = {.free_inputs = 2};
  EXPECT_EQ(RunNode("Reshape", {}, {Grid(), Integers({6})}, dynamic).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(EvalShape, FlattenSplitsAtTheAxis) {
  const Tensor x = Tensor::FromFloats({1, 2, 3}, Counting(6));
  EXPECT_EQ(ShapeOf(RunNode("Flatten", {}, {x})), (Shape{1, 6}));
  EXPECT_EQ(ShapeOf(RunNode("Flatten", {{"axis", int64_t{-1}}}, {x})), (Shape{2, 3}));
  EXPECT_EQ(ShapeOf(RunNode("Flatten", {{"axis", int64_t{3}}}, {x})), (Shape{6, 1}));
}

TEST(EvalShape, SqueezeAndUnsqueezeInBothForms) {
  const Tensor x = Tensor::FromFloats({1, 2, 1}, {1, 2});
  EXPECT_EQ(ShapeOf(RunNode("Squeeze", {}, {x})), Shape{2});
  EXPECT_EQ(ShapeOf(RunNode("Squeeze", {}, {x, Integers({-1})})), (Shape{1, 2}));
  EXPECT_EQ(ShapeOf(RunNode("Squeeze", {{"axes", Ints{0}}}, {x}, {.opset = 11})), (Shape{2, 1}));
  EXPECT_EQ(RunNode("Squeeze", {}, {x, Integers({1})}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ShapeOf(RunNode("Unsqueeze", {}, {Vector({1, 2}), Integers({0, -1})})), (Shape{1, 2, 1}));
  EXPECT_EQ(ShapeOf(RunNode("Unsqueeze", {{"axes", Ints{1}}}, {Vector({1, 2})}, {.opset = 11})),
            (Shape{2, 1}));
}

TEST(EvalMove, TransposeReversesByDefault) {
  EXPECT_THAT(Numbers(RunNode("Transpose", {}, {Grid()})), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(Numbers(RunNode("Transpose", {{"perm", Ints{0, 1}}}, {Grid()})), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(RunNode("Transpose", {{"perm", Ints{0, 0}}}, {Grid()}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(EvalMove, ConcatAlongEitherAxis) {
  const Tensor row = Tensor::FromFloats({1, 3}, {7, 8, 9});
  EXPECT_THAT(Numbers(RunNode("Concat", {{"axis", int64_t{0}}}, {Grid(), row})),
              ElementsAre(0, 1, 2, 3, 4, 5, 7, 8, 9));
  const Tensor column = Tensor::FromFloats({2, 1}, {7, 8});
  EXPECT_THAT(Numbers(RunNode("Concat", {{"axis", int64_t{-1}}}, {Grid(), column})),
              ElementsAre(0, 1, 2, 7, 3, 4, 5, 8));
  EXPECT_EQ(RunNode("Concat", {{"axis", int64_t{1}}}, {Grid(), row}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(EvalMove, SplitByCountAndBySizes) {
  const Tensor x = Vector({1, 2, 3, 4, 5});
  auto outputs = RunOutputs("Split", {}, {x, Integers({2, 3})}, {.outputs = 2});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT((*outputs)[1].ToDoubles(), ElementsAre(3, 4, 5));
  outputs = RunOutputs("Split", {{"num_outputs", int64_t{2}}}, {x}, {.opset = 18, .outputs = 2});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT((*outputs)[1].ToDoubles(), ElementsAre(4, 5));
  EXPECT_EQ(RunOutputs("Split", {}, {x}, {.outputs = 2}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EvalMove, ExpandBroadcastsBothWays) {
  EXPECT_THAT(Numbers(RunNode("Expand", {}, {Tensor::FromFloats({2, 1}, {1, 2}), Integers({1, 2})})),
              ElementsAre(1, 1, 2, 2));
}

TEST(EvalSlice, StepsBackwardsAndClamps) {
  const Tensor x = Vector({0, 1, 2, 3, 4});
  const auto slice = [&x](int64_t start, int64_t end, int64_t step) {
    return Numbers(
        RunNode("Slice", {}, {x, Integers({start}), Integers({end}), Integers({0}), Integers({step})}));
  };
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(slice(1, -1, 1), ElementsAre(1, 2, 3));
  EXPECT_THAT(slice(-2, kMost, 1), ElementsAre(3, 4));
  EXPECT_THAT(slice(-1, kLeast, -2), ElementsAre(4, 2, 0));
  EXPECT_THAT(slice(kMost, kLeast, -1), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(slice(0, kMost, kMost), ElementsAre(0));
  EXPECT_THAT(slice(kMost, kLeast, kLeast), ElementsAre(4));
}

TEST(EvalSlice, AttributeFormBeforeOpset10) {
  const Attributes attributes = {{"starts", Ints{1}}, {"ends", Ints{3}}, {"axes", Ints{1}}};
  EXPECT_THAT(Numbers(RunNode("Slice", attributes, {Grid()}, {.opset = 9})), ElementsAre(1, 2, 4, 5));
}

TEST(EvalGather, TakesNegativeAndScalarIndices) {
  const auto picked = RunNode("Gather", {{"axis", int64_t{1}}}, {Grid(), Integers({-1, 0})});
  EXPECT_THAT(Numbers(picked), ElementsAre(2, 0, 5, 3));
  const auto scalar = RunNode("Gather", {{"axis", int64_t{0}}}, {Grid(), Tensor::FromInts({}, {1})});
  EXPECT_EQ(ShapeOf(scalar), Shape{3});
  EXPECT_THAT(Numbers(scalar), ElementsAre(3, 4, 5));
  EXPECT_EQ(RunNode("Gather", {}, {Grid(), Integers({2})}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(EvalPad, FillsAndCrops) {
  const Tensor x = Vector({1, 2, 3});
  EXPECT_THAT(Numbers(RunNode("Pad", {}, {x, Integers({1, 2})})), ElementsAre(0, 1, 2, 3, 0, 0));
  EXPECT_THAT(Numbers(RunNode("Pad", {}, {x, Integers({-1, 1}), Tensor::FromFloats({}, {9})})),
              ElementsAre(2, 3, 9));
  EXPECT_THAT(Numbers(RunNode("Pad", {{"pads", Ints{0, 1}}, {"value", 4.0}}, {x}, {.opset = 10})),
              ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(RunNode("Pad", {{"mode", std::string("reflect")}}, {x, Integers({1, 1})}).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(EvalResize, NearestInItsCoordinateModes) {
  const Tensor x = Vector({1, 2});
  const std::vector<Tensor> operands = {x, Absent(), Vector({2})};
  const auto with = [&](const char* mode, const char* rounding) {
    return Numbers(RunNode(
        "Resize",
        {{"coordinate_transformation_mode", std::string(mode)}, {"nearest_mode", std::string(rounding)}},
        operands));
  };
  EXPECT_THAT(with("asymmetric", "floor"), ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(with("asymmetric", "ceil"), ElementsAre(1, 2, 2, 2));
  EXPECT_THAT(with("half_pixel", "round_prefer_floor"), ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(with("align_corners", "floor"), ElementsAre(1, 1, 1, 2));
  EXPECT_THAT(Numbers(RunNode("Resize", {}, {x, Absent(), Absent(), Integers({4})})),
              ElementsAre(1, 1, 2, 2));
  EXPECT_EQ(RunNode("Resize", {{"mode", std::string("linear")}}, operands).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(EvalResize, UpsampleReadsScalesFromInputOrAttribute) {
  EXPECT_THAT(Numbers(RunNode("Upsample", {}, {Vector({1, 2}), Vector({2})}, {.opset = 9})),
              ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(
      Numbers(RunNode("Upsample", {{"scales", std::vector<double>{2}}}, {Vector({1, 2})}, {.opset = 8})),
      ElementsAre(1, 1, 2, 2));
}

TEST(EvalMove, CarriesEveryElementType) {
  const Tensor index = Tensor::FromInts({2, 2}, {0, 1, 2, 3});
  const auto moved = RunNode("Transpose", {}, {index});
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->type, ElementType::kInt64);
  EXPECT_EQ(moved->ToInts(), (Ints{0, 2, 1, 3}));
}

}  // namespace
}  // namespace espalier::ops
