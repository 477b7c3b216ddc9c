// The search on the simulated card: batches that follow its clock, and what depends on their size.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cuda_kernels/cuda_backend.h"
#include "device.h"
#include "tests/property/random_network.h"
#include "tests/unit/search/small_query.h"
#include "verifier/search/relu_bab.h"
#include "verifier/search/root.h"

namespace espalier::search {
namespace {

backend::BackendFactory OnCard() {
  return [](const backend::BackendRequest& request) {
    return cuda_kernels::MakeCudaBackend({.stop = request.stop});
  };
}

bounds::DenseLayer RandomLayer(testing::Random& random, int64_t rows, int64_t cols) {
  bounds::DenseLayer layer;
  for (int64_t r = 0; r < rows; ++r)
    layer.weights.push_back(random.Normals(cols, 1 / std::sqrt(static_cast<double>(cols))));
  layer.bias = random.Normals(rows, 0.3);
  return layer;
}

// Its output never gets as low as in the property, but that takes thousands of domains to show.
ir::Network HardNetwork() {
  testing::Random random(5);
  return bounds::DenseNetwork(
      6, {RandomLayer(random, 24, 6), RandomLayer(random, 24, 24), RandomLayer(random, 1, 24)},
      {bounds::Relu(), bounds::Relu()});
}
api::Property HardProperty(const ir::Network& network) {
  testing::Random random(6);
  double least = INFINITY;
  for (int i = 0; i < 2000; ++i) {
    std::vector<double> x(6);
    for (double& v : x) v = random.Uniform(-1, 1);
    least = std::min(least, ir::EvaluateNodes(network, x)[static_cast<size_t>(network.output)][0]);
  }
  return OneDisjunct(6, 1, -1, 1, {OutputRow(1, least - 0.3)});
}

class CardSearchTest : public ::testing::Test {
 protected:
  ~CardSearchTest() override { cuda_on_host::Behave({}); }

  static std::unique_ptr<Query> Hard() {
    api::Options options;
    options.attack = 0;
    options.split_iterations = 3;
    ir::Network network = HardNetwork();
    api::Property property = HardProperty(network);
    return std::make_unique<Query>(std::move(network), std::move(property), options, StopToken(), OnCard());
  }

  // The size of batches after so many domains, from `start` on, between 8 and 512.
  static int64_t SizeAfter(int64_t domains, const cuda_on_host::Clock& clock, int64_t start = 64) {
    cuda_on_host::Behave({.clock = clock});
    const std::unique_ptr<Query> query = Hard();
    query->run->batch = BatchSize({.least = 8, .start = start, .most = 512});
    auto root = BoundRoot(*query->run, 0, query->run->OpenTargets());
    EXPECT_TRUE(root.ok()) << root.status();
    SplitRatings ratings;
    ReluBab search(*query->run, root->root, ratings);
    const auto end = search.Search(std::move(root->open), domains);
    EXPECT_TRUE(end.ok()) << end.status();
    EXPECT_EQ(*end, SearchEnd::kBudget);
    EXPECT_GT(query->run->statistics.counters["cuda_graph_replays"], 0);
    EXPECT_EQ(query->run->statistics.counters["rows_halved"], 0);
    const auto& counters = query->run->statistics.counters;
    EXPECT_EQ(counters.contains("batch_size"), clock.launch + clock.thread > 0);
    return query->run->batch.size();
  }
};

TEST_F(CardSearchTest, LaunchesThatCostTheSameForAllMakeBatchesLarge) {
  EXPECT_EQ(SizeAfter(8000, {.launch = 1e-5}), 512);
}

// Most kernels have as many threads as domains times neurons, of which there are 48.
TEST_F(CardSearchTest, ACacheThatABatchOutgrowsLimitsIt) {
  const cuda_on_host::Clock clock{.launch = 1e-5, .thread = 1e-9, .threads = 128 * 64, .cold_thread = 1e-6};
  EXPECT_EQ(SizeAfter(5000, clock, 64), 128);
  EXPECT_LE(SizeAfter(8000, clock, 256), 128);
}

TEST_F(CardSearchTest, WithoutAClockTheSizeStays) {
  EXPECT_EQ(SizeAfter(2000, {}), 64);
}

// Neither to learn a bound nor to hand the next step over: only what goes in and comes out is waited for.
TEST_F(CardSearchTest, TheStepsOfTheOptimiserWaitForNothing) {
  cuda_on_host::Behave({});
  const std::unique_ptr<Query> query = Hard();
  auto root = BoundRoot(*query->run, 0, query->run->OpenTargets());
  ASSERT_TRUE(root.ok()) << root.status();
  auto bounder = DomainBounder::Make(*query->run, root->root);
  ASSERT_TRUE(bounder.ok()) << bounder.status();
  ASSERT_TRUE((*bounder)->reduced());
  const auto waits = [&](int64_t steps) {
    std::vector<Domain> domains = root->open;
    const int64_t before = cuda_on_host::CountsSoFar().waits;
    const absl::Status status = (*bounder)->Optimise(domains, {.iterations = steps, .candidates = 6});
    EXPECT_TRUE(status.ok()) << status;
    return cuda_on_host::CountsSoFar().waits - before;
  };
  const int64_t few = waits(2);
  EXPECT_GT(few, 0);
  EXPECT_EQ(waits(40), few);
}

}  // namespace
}  // namespace espalier::search
