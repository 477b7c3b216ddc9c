#include "verifier/formats/npz_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "verifier/formats/npy_reader.h"

namespace espalier::formats {
namespace {

TEST(NpzWriter, GivesBackEveryBit) {
  const float nan = std::nanf("7"), infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<std::string, Tensor>> arrays = {
      {"n3.t0.weight", Tensor::FromFloats({2, 2}, {0.1F, -0.0F, infinity, 1e-45F})},
      {"doubles", Tensor::FromDoubles({3}, {0.1, -1e308, 5e-324})},
      {"integers", Tensor::FromInts({1, 2}, {std::numeric_limits<int64_t>::min(), 42})},
      {"flags", Tensor::FromBools({3}, {1, 0, 1})},
      {"scalar", Tensor::FromDoubles({}, {2.5})},
      {"nothing", Tensor::FromFloats({0, 4}, {})}};
  const auto bytes = WriteNpz(arrays);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : arrays) {
    names.push_back(name);
    const auto back = ReadNpzEntry(*bytes, name);
    ASSERT_TRUE(back.ok()) << name << ": " << back.status();
    EXPECT_EQ(back->type, tensor.type) << name;
    EXPECT_EQ(back->shape, tensor.shape) << name;
    EXPECT_EQ(*WriteNpy(*back), *WriteNpy(tensor)) << name;
  }
  EXPECT_EQ(*ListNpz(*bytes), names);
  const auto nans = WriteNpz({{"n", Tensor::FromFloats({1}, {nan})}});
  EXPECT_TRUE(std::isnan(ReadNpzEntry(*nans, "n")->AsDouble(0)));
}

TEST(NpzWriter, SameArraysSameBytes) {
  const std::vector<std::pair<std::string, Tensor>> arrays = {{"a", Tensor::FromFloats({1}, {1})}};
  EXPECT_EQ(*WriteNpz(arrays), *WriteNpz(arrays));
  EXPECT_TRUE(ListNpz(*WriteNpz({}))->empty());
}

TEST(NpzWriter, RefusesNamesThatCannotBeFoundAgain) {
  const Tensor one = Tensor::FromFloats({1}, {1});
  EXPECT_EQ(WriteNpz({{"a", one}, {"a", one}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteNpz({{"", one}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteNpz({{std::string(70000, 'a'), one}}).status().code(), absl::StatusCode::kInvalidArgument);
  Tensor broken = one;
  broken.shape = {2};
  EXPECT_EQ(WriteNpz({{"a", broken}}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace espalier::formats
