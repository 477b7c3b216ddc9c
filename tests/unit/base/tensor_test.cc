#include "verifier/base/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace espalier {
namespace {

TEST(ElementCountTest, MultipliesDimensions) {
  EXPECT_EQ(ElementCount({}), 1);
  EXPECT_EQ(ElementCount({3, 1, 4}), 12);
  EXPECT_EQ(ElementCount({3, 0, 4}), 0);
}

TEST(ElementCountTest, RefusesNegativeDimensions) {
  EXPECT_EQ(ElementCount({2, -1}), std::nullopt);
}

TEST(ElementCountTest, RefusesWhatOverflowsOrExceedsTheLimit) {
  const int64_t huge = std::numeric_limits<int64_t>::max() / 2;
  EXPECT_EQ(ElementCount({huge, 4}), std::nullopt);
  EXPECT_EQ(ElementCount({int64_t{1} << 32, int64_t{1} << 32}), std::nullopt);
  EXPECT_EQ(ElementCount({10, 10}, 99), std::nullopt);
  EXPECT_EQ(ElementCount({10, 10}, 100), 100);
}

TEST(TensorTest, ReadsElementsOfEveryStorageAsDouble) {
  EXPECT_EQ(Tensor::FromFloats({2}, {1.5f, -2.0f}).AsDouble(1), -2.0);
  EXPECT_EQ(Tensor::FromDoubles({1}, {0.1}).AsDouble(0), 0.1);
  EXPECT_EQ(Tensor::FromInts({1}, {-7}).AsDouble(0), -7.0);
  EXPECT_EQ(Tensor::FromBools({1}, {1}).AsDouble(0), 1.0);
}

TEST(TensorTest, ConvertsWholeTensors) {
  const Tensor ints = Tensor::FromInts({2}, {4, -9});
  EXPECT_EQ(ints.ToDoubles(), (std::vector<double>{4.0, -9.0}));
  EXPECT_EQ(ints.ToInts(), (std::vector<int64_t>{4, -9}));
  EXPECT_EQ(Tensor::FromFloats({2}, {2.9f, -2.9f}).ToInts(), (std::vector<int64_t>{2, -2}));
}

TEST(TensorTest, FactoriesRecordTypeAndShape) {
  const Tensor t = Tensor::FromBools({1, 2}, {0, 1});
  EXPECT_EQ(t.type, ElementType::kBool);
  EXPECT_EQ(t.shape, (Shape{1, 2}));
  EXPECT_EQ(t.size(), 2);
  EXPECT_EQ(Tensor::FromFloats({}, {1}).type, ElementType::kFloat32);
  EXPECT_EQ(Tensor::FromDoubles({}, {1}).type, ElementType::kFloat64);
  EXPECT_EQ(Tensor::FromInts({}, {1}).type, ElementType::kInt64);
}

TEST(TensorTest, NamesForMessages) {
  EXPECT_EQ(ShapeToString({1, 3, 32}), "[1,3,32]");
  EXPECT_EQ(ShapeToString({}), "[]");
  EXPECT_STREQ(ElementTypeName(ElementType::kFloat32), "float32");
  EXPECT_STREQ(ElementTypeName(ElementType::kBool), "bool");
}

}  // namespace
}  // namespace espalier
