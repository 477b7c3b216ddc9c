// Whole verifications of shared benchmark instances through the CUDA sources: the verdict that is known, and
// the processor's. Which: the quick tier's instances with a known verdict whose network file is small (host
// execution is some hundred times slower than a card) and which the processor decides in a moment. Needs
// the shared instances; skips without.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "device.h"
#include "tests/support/test_files.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

using test_support::ReadFile;

constexpr uintmax_t kLargestNetwork = 300000;  // bytes
constexpr double kProcessorSeconds = 5;
constexpr double kCardSeconds = 120;
constexpr size_t kLeastInstances = 20;

struct Instance {
  std::string id, onnx, vnnlib, verdict;
};

std::vector<Instance> SmallInstances() {
  const std::filesystem::path folder = test_support::SharedFolder() / "bench";
  std::istringstream file(ReadFile(folder / "instances.csv"));
  std::vector<Instance> instances;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const std::vector<std::string> f = absl::StrSplit(line, ',');
    if (f.size() < 8 || f[6] != "quick" || (f[5] != "sat" && f[5] != "unsat") || !f[7].empty()) continue;
    const std::filesystem::path onnx = folder / f[2];
    std::error_code error;
    const uintmax_t bytes = std::filesystem::file_size(onnx, error);
    if (!error && bytes <= kLargestNetwork) instances.push_back({f[0], onnx, folder / f[3], f[5]});
  }
  return instances;
}

absl::StatusOr<api::Verdict> Decide(const Instance& instance, int64_t device, double seconds) {
  const auto model = Model::Load(ReadFile(instance.onnx));
  if (!model.ok()) return model.status();
  const auto property = ReadQuery(*model, ReadFile(instance.vnnlib));
  if (!property.ok()) return property.status();
  api::Options options;
  options.device = device;
  options.timeout_s = seconds;
  return Verify(*model, *property, options, nullptr, StopToken());
}

class QuickTierTest : public ::testing::TestWithParam<Instance> {};

TEST_P(QuickTierTest, TheCardDecidesAsTheProcessorDoes) {
  const auto cpu = Decide(GetParam(), 0, kProcessorSeconds);
  ASSERT_TRUE(cpu.ok()) << cpu.status();
  const std::string expected = api::AnswerName(cpu->answer());
  if (expected != "sat" && expected != "unsat") GTEST_SKIP() << "too long for the processor: " << expected;
  EXPECT_EQ(expected, GetParam().verdict);
  const int64_t launches = cuda_on_host::CountsSoFar().launches;
  const auto card = Decide(GetParam(), 1, kCardSeconds);
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_EQ(api::AnswerName(card->answer()), expected);
  EXPECT_GT(cuda_on_host::CountsSoFar().launches, launches);
}

TEST(QuickTierListTest, HoldsEnough) {
  if (!std::filesystem::exists(test_support::SharedFolder() / "bench")) GTEST_SKIP() << "no instances here";
  EXPECT_GE(SmallInstances().size(), kLeastInstances);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(QuickTierTest);
INSTANTIATE_TEST_SUITE_P(Small, QuickTierTest, ::testing::ValuesIn(SmallInstances()),
                         [](const auto& instance) { return instance.param.id; });

}  // namespace
}  // namespace espalier
