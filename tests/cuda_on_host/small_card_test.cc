// Cards with little memory, and memory that runs out at any moment: fewer domains or rows at a time, the same
// verdict, or an error that says so; never another verdict.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "device.h"
#include "tests/support/test_files.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

class SmallCardTest : public testing::Test {
 protected:
  ~SmallCardTest() override { cuda_on_host::Behave({}); }

  // Splits, roots that are refined in so many steps, and groups of domains on the network that is left.
  absl::StatusOr<api::Verdict> Decide(const std::string& network, int64_t refine = 20) {
    const auto models = test_support::SourceFolder() / "models";
    const auto model = Model::Load(test_support::ReadFile(models / network));
    if (!model.ok()) return model.status();
    const auto property =
        ReadQuery(*model, test_support::ReadFile(models / "properties/digits_by_splits.vnnlib"));
    if (!property.ok()) return property.status();
    api::Options options;
    options.device = 1;
    options.attack = 0;
    options.intermediate_iterations = refine;
    return Verify(*model, *property, options, nullptr, StopToken());
  }
  static std::string Answer(const absl::StatusOr<api::Verdict>& verdict) {
    return verdict.ok() ? std::string(api::AnswerName(verdict->answer())) : verdict.status().ToString();
  }

  static bool Explains(const api::Verdict& verdict, const std::string& words) {
    return std::any_of(
        verdict.explanation.begin(), verdict.explanation.end(),
        [&](const std::string& sentence) { return sentence.find(words) != std::string::npos; });
  }
  static int64_t Count(const api::Verdict& verdict, const std::string& name) {
    const auto& counters = verdict.statistics.counters;
    const auto found = counters.find(name);
    return found == counters.end() ? 0 : found->second;
  }
};

// The fewer domains a card has room for, the more groups of them there are; then rows of the root are bounded
// a few at a time, and the network that is left is not listed any more.
TEST_F(SmallCardTest, ACardWithLittleMemoryDecidesTheSameInSmallerPieces) {
  int64_t passes = 0, most = 0;
  int refused = 0, fewer_rows = 0, not_listed = 0;
  for (const int64_t kilobytes :
       {1 << 20, 1536, 768, 640, 576, 544, 496, 480, 464, 448, 432, 416, 408, 400, 384, 256}) {
    SCOPED_TRACE(kilobytes);
    cuda_on_host::Behave({.memory = kilobytes << 10});
    const auto verdict = Decide("digits.onnx");
    if (absl::IsResourceExhausted(verdict.status())) {
      ++refused;
      std::printf("%ld kB: %s\n", static_cast<long>(kilobytes), Answer(verdict).c_str());
      continue;
    }
    ASSERT_EQ(Answer(verdict), "unsat");
    most = std::max(most, Count(*verdict, "cuda_graph_replays"));
    if (passes == 0) passes = most;
    fewer_rows += Count(*verdict, "rows_halved") > 0;
    not_listed += Count(*verdict, "listing_refused") > 0;
    int64_t shortages = 0;
    for (const char* name : api::kShortageCounters) shortages += Count(*verdict, name);
    EXPECT_EQ(Explains(*verdict, "memory ran out"), shortages > 0);
    std::printf("%ld kB: %ld replays, rows %ld, batches %ld, lanes %ld, listing %ld\n",
                static_cast<long>(kilobytes), static_cast<long>(Count(*verdict, "cuda_graph_replays")),
                static_cast<long>(Count(*verdict, "rows_halved")),
                static_cast<long>(Count(*verdict, "batch_halved")),
                static_cast<long>(Count(*verdict, "cuda_lanes_halved")),
                static_cast<long>(Count(*verdict, "listing_refused")));
  }
  EXPECT_GT(most, passes);
  EXPECT_GT(fewer_rows, 0);
  EXPECT_GT(not_listed, 0);
  EXPECT_GT(refused, 0) << "in the end a card is too small for the coefficients alone";
}

// Moments of a run that ask for memory, each refused once. Coefficients, and what a root keeps of its layers,
// are needed whole. The root is not refined, so that much is left for branch and bound.
TEST_F(SmallCardTest, MemoryThatRunsOutAnywhereNeverChangesTheVerdict) {
  cuda_on_host::Behave({});
  const int64_t before = cuda_on_host::CountsSoFar().allocations;
  ASSERT_EQ(Answer(Decide("digits_grafted.onnx", /*refine=*/0)), "unsat");
  const int64_t allocations = cuda_on_host::CountsSoFar().allocations - before;
  int decided = 0, lanes = 0, batches = 0, rows = 0;
  const int64_t step = std::max<int64_t>(1, allocations / 40);
  for (int64_t n = 1; n <= allocations; n += step) {
    SCOPED_TRACE(n);
    cuda_on_host::Behaviour behaviour;
    behaviour.fail_allocation = n;
    cuda_on_host::Behave(behaviour);
    const auto verdict = Decide("digits_grafted.onnx", /*refine=*/0);
    if (absl::IsResourceExhausted(verdict.status())) continue;
    EXPECT_EQ(Answer(verdict), "unsat");
    ++decided;
    lanes += Count(*verdict, "cuda_lanes_halved") > 0;
    batches += Count(*verdict, "batch_halved") > 0;
    rows += Count(*verdict, "rows_halved") > 0;
  }
  std::printf(
      "of %ld moments %d are survived: %d with fewer lanes, %d with smaller batches, %d with fewer rows\n",
      static_cast<long>((allocations + step - 1) / step), decided, lanes, batches, rows);
  EXPECT_GT(lanes, 0);
  EXPECT_GT(batches, 0);
  EXPECT_GT(rows, 0);
}

}  // namespace
}  // namespace espalier
