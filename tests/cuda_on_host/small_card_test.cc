// Cards with little memory, and memory that runs out at any moment: fewer domains at a time, the same
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

  static int64_t Count(const api::Verdict& verdict, const std::string& name) {
    const auto& counters = verdict.statistics.counters;
    const auto found = counters.find(name);
    return found == counters.end() ? 0 : found->second;
  }
};

// The fewer domains a card has room for, the more groups of them there are.
TEST_F(SmallCardTest, ACardWithLittleMemoryDecidesTheSameWithFewerDomainsAtATime) {
  int64_t passes = 0, most = 0;
  int refused = 0;
  for (const int64_t kilobytes : {1 << 20, 1536, 1024, 768, 512, 128}) {
    SCOPED_TRACE(kilobytes);
    cuda_on_host::Behave({.memory = kilobytes << 10});
    const auto verdict = Decide("digits.onnx");
    if (absl::IsResourceExhausted(verdict.status())) {
      ++refused;
      continue;
    }
    ASSERT_EQ(Answer(verdict), "unsat");
    EXPECT_EQ(refused, 0) << "less memory was enough before";
    most = Count(*verdict, "cuda_graph_replays");
    EXPECT_GE(most, passes);
    if (passes == 0) passes = most;
  }
  EXPECT_GT(most, passes);
  EXPECT_GT(refused, 0) << "in the end a card is too small for the root alone";
}

// Moments of a run that ask for memory, each refused once. Before a group is bounded, what is asked for is
// needed whole. The root is not
// refined, so that much is left for branch and bound.
TEST_F(SmallCardTest, MemoryThatRunsOutAnywhereNeverChangesTheVerdict) {
  cuda_on_host::Behave({});
  const int64_t before = cuda_on_host::CountsSoFar().allocations;
  ASSERT_EQ(Answer(Decide("digits_grafted.onnx", /*refine=*/0)), "unsat");
  const int64_t allocations = cuda_on_host::CountsSoFar().allocations - before;
  int decided = 0, lanes = 0, certified = 0;
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
    certified += Count(*verdict, "batch_halved") > 0;
  }
  std::printf("of %ld moments %d are survived: %d with fewer lanes, %d with smaller batches\n",
              static_cast<long>(allocations / step), decided, lanes, certified);
  EXPECT_GT(lanes, 0);
  EXPECT_GT(certified, 0);
}

}  // namespace
}  // namespace espalier
