#include "verifier/train/batch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/train/toy_problem.h"

namespace espalier::train {
namespace {

TEST(Shuffled, IsAPermutationThatTheKeyDecides) {
  std::vector<int64_t> order = {3, 1, 4, 15, 9, 26, 5, 35};
  const std::vector<int64_t> a = Shuffled(order, {1, 2}), b = Shuffled(order, {1, 3});
  EXPECT_EQ(a, Shuffled(order, {1, 2}));
  EXPECT_NE(a, b);
  std::vector<int64_t> sorted = a;
  std::sort(sorted.begin(), sorted.end());
  std::sort(order.begin(), order.end());
  EXPECT_EQ(sorted, order);
}

TEST(BatchReader, StoresImagesChannelsLast) {
  const Dataset data = StripeData(4, 1);
  const ir::Network network = SmallNetwork(1);
  Batch batch;
  BatchReader(network, data).Read({0, 1, 2, 3}, 2, 2, batch);
  ASSERT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.label, (std::vector<int32_t>{2, 0}));
  std::vector<float> sample(72);
  data.CopySample(3, sample.data());
  for (size_t c = 0; c < 2; ++c) {
    for (size_t p = 0; p < 36; ++p) EXPECT_EQ(batch.x[72 + p * 2 + c], sample[c * 36 + p]);
  }
}

TEST(BatchReader, AugmentationMovesWholeImages) {
  Dataset data;  // one channel, 16 wide: shifts up to 2
  data.shape = {1, 1, 16};
  std::vector<float> values(16, 0.0f);
  values[8] = 1;
  data.values = values;
  data.labels = {0};
  ir::Network network;
  network.nodes.emplace_back();
  network.nodes[0].size = 16;
  for (int64_t i = 0; i < 16; ++i) network.input_order.push_back(i);
  Batch batch;
  std::vector<bool> seen(16, false);
  for (uint64_t stream = 0; stream < 200; ++stream) {
    BatchReader(network, data).ReadAugmented({0}, 0, 1, {4, stream}, batch);
    EXPECT_EQ(std::count(batch.x.begin(), batch.x.end(), 1.0f), 1);
    seen[static_cast<size_t>(std::find(batch.x.begin(), batch.x.end(), 1.0f) - batch.x.begin())] = true;
  }
  for (size_t i = 0; i < 16; ++i) EXPECT_EQ(seen[i], i >= 5 && i <= 10) << i;  // 6..10, or mirrored 5..9
}

}  // namespace
}  // namespace espalier::train
