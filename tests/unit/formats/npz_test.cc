#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/test_files.h"
#include "verifier/formats/npy_reader.h"

namespace espalier::formats {
namespace {

using test_support::ReadFile;
using test_support::SharedFolder;

std::string Seed(const std::string& name) {
  return ReadFile(test_support::SourceFolder() / "tests/fuzz/corpus/npy" / name);
}

class NpzTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Archives, NpzTest, testing::Values("stored.npz", "deflated.npz"),
                         [](const auto& test) { return std::string(test.param).substr(0, 6); });

TEST_P(NpzTest, ListsAndReadsArrays) {
  const std::string bytes = Seed(GetParam());
  EXPECT_EQ(*ListNpz(bytes), (std::vector<std::string>{"f4", "fortran", "zeros"}));
  EXPECT_EQ(ReadNpzEntry(bytes, "f4")->ToDoubles(), (std::vector<double>{1, 2.5, -3, 4, 5, 6}));
  EXPECT_EQ(ReadNpzEntry(bytes, "fortran")->AsDouble(5), 5);
  EXPECT_EQ(ReadNpzEntry(bytes, "zeros")->ToDoubles(), std::vector<double>(500, 0.0));
}

TEST_P(NpzTest, UnknownNameIsNotFound) {
  EXPECT_EQ(ReadNpzEntry(Seed(GetParam()), "f5").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(NpzTest, EveryTruncationIsAnError) {
  const std::string bytes = Seed(GetParam());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(ListNpz(bytes.substr(0, length)).ok()) << length;
    EXPECT_FALSE(ReadNpzEntry(bytes.substr(0, length), "f4").ok()) << length;
  }
}

TEST_P(NpzTest, AFlippedBitNeverChangesAnArray) {
  const std::string bytes = Seed(GetParam());
  const std::vector<double> expected = ReadNpzEntry(bytes, "f4")->ToDoubles();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    const absl::StatusOr<Tensor> tensor = ReadNpzEntry(damaged, "f4");
    EXPECT_TRUE(!tensor.ok() || tensor->ToDoubles() == expected) << "byte " << i;
  }
}

TEST_P(NpzTest, TheLimitCountsUnpackedElements) {
  NpyLimits limits;
  limits.elements = 499;
  EXPECT_EQ(ReadNpzEntry(Seed(GetParam()), "zeros", limits).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(NpzErrorsTest, WhatIsNoArchive) {
  EXPECT_EQ(ListNpz("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ListNpz(std::string(100'000, 'P')).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadNpzEntry(Seed("f4.npy"), "f4").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(NpzErrorsTest, AClaimedSizeThatDeflateCannotReachIsNotAllocated) {
  std::string bytes = Seed("deflated.npz");
  const size_t entry = bytes.find("PK\x01\x02");
  ASSERT_NE(entry, std::string::npos);
  bytes.replace(entry + 24, 4, std::string("\xff\xff\xff\x7f", 4));
  EXPECT_EQ(ReadNpzEntry(bytes, "f4").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(NpzReferenceTest, ReferenceBoundsAreRead) {
  const std::filesystem::path folder = SharedFolder() / "refbounds";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << folder << " is not there";
  int archives = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".npz") continue;
    ++archives;
    const std::string bytes = ReadFile(file.path());
    const absl::StatusOr<std::vector<std::string>> names = ListNpz(bytes);
    ASSERT_TRUE(names.ok()) << file.path() << names.status();
    for (const std::string& name : *names) {
      if (name == "layer_names" || name == "layer_ops") continue;  // text
      const absl::StatusOr<Tensor> tensor = ReadNpzEntry(bytes, name);
      EXPECT_TRUE(tensor.ok()) << file.path() << " " << name << " " << tensor.status();
    }
  }
  EXPECT_GT(archives, 10);
}

}  // namespace
}  // namespace espalier::formats
