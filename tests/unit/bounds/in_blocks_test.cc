#include "verifier/bounds/in_blocks.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/unit/bounds/small_network.h"

namespace espalier::bounds {
namespace {

using Block = std::pair<int64_t, int64_t>;

class InBlocksTest : public ::testing::Test {
 protected:
  // What fits `room` rows at a time.
  absl::Status Run(int64_t count, int64_t block, int64_t room) {
    return InBlocks(*backend_, count, block, stop_.token(), [&](int64_t begin, int64_t end) -> absl::Status {
      if (end - begin > room) return absl::ResourceExhaustedError("too many");
      done_.emplace_back(begin, end);
      if (end == stop_at_) stop_.Cancel();
      return absl::OkStatus();
    });
  }
  std::unique_ptr<backend::Backend> backend_ = *backend::MakeCpuBackend({.threads = 1});
  StopSource stop_;
  int64_t stop_at_ = -1;
  std::vector<Block> done_;
};

TEST_F(InBlocksTest, EveryRowOnceInBlocksOfTheSizeAskedFor) {
  EXPECT_TRUE(Run(10, 4, 4).ok());
  EXPECT_EQ(done_, (std::vector<Block>{{0, 4}, {4, 8}, {8, 10}}));
  EXPECT_TRUE(backend_->TakeShortages().empty());
}

TEST_F(InBlocksTest, WhatDoesNotFitIsHalvedForGood) {
  EXPECT_TRUE(Run(10, 10, 3).ok());
  EXPECT_EQ(done_, (std::vector<Block>{{0, 2}, {2, 4}, {4, 6}, {6, 8}, {8, 10}}));
  EXPECT_EQ(backend_->TakeShortages(), (std::map<std::string, int64_t>{{kRowsHalved, 2}}));
  EXPECT_TRUE(backend_->TakeShortages().empty()) << "they were taken";
}

TEST_F(InBlocksTest, DownToSingleRowsAndNoFurther) {
  EXPECT_TRUE(Run(3, 3, 1).ok());
  EXPECT_EQ(done_.size(), 3u);
  EXPECT_TRUE(absl::IsResourceExhausted(Run(3, 3, 0)));
  EXPECT_TRUE(Run(0, 3, 0).ok());
}

TEST_F(InBlocksTest, AStopEndsItBetweenBlocks) {
  stop_at_ = 4;
  EXPECT_TRUE(Run(10, 2, 2).ok());
  EXPECT_EQ(done_, (std::vector<Block>{{0, 2}, {2, 4}}));
}

TEST_F(InBlocksTest, OtherErrorsEndItAtOnce) {
  int calls = 0;
  const absl::Status status = InBlocks(*backend_, 10, 5, StopToken(), [&](int64_t, int64_t) {
    ++calls;
    return absl::InternalError("broken");
  });
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_EQ(calls, 1);
}

// With ever less memory, bounds of all layers stay what they are or there are none.
TEST(RowBlocksTest, LittleMemoryChangesNoBound) {
  std::vector<DenseLayer> layers;
  double value = 0.1;
  for (const auto& [rows, cols] : {std::pair<int, int>{40, 20}, {40, 40}, {40, 40}, {2, 40}}) {
    DenseLayer layer;
    for (int r = 0; r < rows; ++r) {
      layer.weights.emplace_back();
      for (int c = 0; c < cols; ++c) {
        value = 3.9 * value * (1 - value);  // anything that is neither regular nor random
        layer.weights.back().push_back(0.5 * (value - 0.5));
      }
      layer.bias.push_back(0.1 * (value - 0.5));
    }
    layers.push_back(std::move(layer));
  }
  const ir::Network network = DenseNetwork(20, layers, {Relu(), Relu(), Relu()});
  const InputBoxes box{1, std::vector<double>(20, -1.0), std::vector<double>(20, 1.0)};
  std::vector<LayerBox> wanted;
  int smaller = 0, refused = 0;
  for (int64_t kilobytes = 4096; kilobytes >= 64; kilobytes = kilobytes * 3 / 4) {
    SCOPED_TRACE(kilobytes);
    const auto backend = *backend::MakeCpuBackend({.threads = 1, .memory_bytes = kilobytes << 10});
    const auto plan = Plan::Make(network, *backend);
    if (!plan.ok()) break;
    const auto bounds = ComputeIntermediate(**plan, box, {.iterations = 5}, StopToken());
    if (!bounds.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(bounds.status())) << bounds.status();
      ++refused;
      continue;
    }
    EXPECT_EQ(refused, 0) << "less was enough before";
    smaller += backend->TakeShortages()[kRowsHalved] > 0;
    if (wanted.empty()) wanted = bounds->layers;
    for (size_t a = 0; a < wanted.size(); ++a) {
      for (size_t i = 0; i < wanted[a].lower.size(); ++i) {
        EXPECT_NEAR(bounds->layers[a].lower[i], wanted[a].lower[i], 1e-4);
        EXPECT_NEAR(bounds->layers[a].upper[i], wanted[a].upper[i], 1e-4);
      }
    }
  }
  EXPECT_GT(smaller, 1);
}

}  // namespace
}  // namespace espalier::bounds
