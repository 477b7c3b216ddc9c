// Sizes of batches against devices whose times are formulas.
#include "verifier/search/batch_size.h"

#include <gtest/gtest.h>

#include <functional>

namespace espalier::search {
namespace {

using Seconds = std::function<double(int64_t domains)>;

// Full batches, one after another; the size in use after them.
int64_t SizeAfter(BatchSize& batch, int batches, const Seconds& seconds) {
  for (int i = 0; i < batches; ++i) batch.Took(batch.size(), seconds(batch.size()));
  return batch.size();
}

TEST(BatchSizeTest, GrowsWhileThatPays) {
  // Half of a batch of 64 is the start of something, of 1024 a thirtieth: 512 to 1024 gains a tenth no more.
  BatchSize batch({.least = 8, .start = 64, .most = 8192});
  EXPECT_EQ(SizeAfter(batch, 30, [](int64_t n) { return 64e-6 + 1e-6 * static_cast<double>(n); }), 512);
}

TEST(BatchSizeTest, StopsAtTheMost) {
  BatchSize batch({.least = 8, .start = 64, .most = 256});
  EXPECT_EQ(SizeAfter(batch, 30, [](int64_t) { return 1e-3; }), 256);
}

TEST(BatchSizeTest, ShrinksWhereThatCostsNothing) {
  BatchSize batch({.least = 8, .start = 64, .most = 512});
  EXPECT_EQ(SizeAfter(batch, 30, [](int64_t n) { return 1e-6 * static_cast<double>(n); }), 8);
}

TEST(BatchSizeTest, StaysWhereBothSidesAreWorse) {
  const Seconds seconds = [](int64_t n) {  // a cache that holds 100, and a price of every batch
    return 20e-6 + 1e-6 * static_cast<double>(n) + (n > 100 ? 5e-6 * static_cast<double>(n - 100) : 0.0);
  };
  BatchSize batch({.least = 8, .start = 64, .most = 512});
  EXPECT_EQ(SizeAfter(batch, 30, seconds), 64);
}

TEST(BatchSizeTest, ASlowBatchNowAndThenDecidesNothing) {
  int n = 0;
  const Seconds seconds = [&n](int64_t domains) {
    return (20e-6 + 1e-6 * static_cast<double>(domains)) * (++n % 3 == 1 ? 10 : 1);
  };
  BatchSize batch({.least = 8, .start = 64, .most = 512});
  EXPECT_EQ(SizeAfter(batch, 30, seconds), 128);
}

TEST(BatchSizeTest, IsTriedAgainWhenTimesHaveChanged) {
  BatchSize batch({.least = 64, .start = 64, .most = 256});
  EXPECT_EQ(SizeAfter(batch, 50, [](int64_t n) { return 1e-6 * static_cast<double>(n); }), 64);
  EXPECT_EQ(SizeAfter(batch, 150, [](int64_t) { return 1e-3; }), 256);
}

TEST(BatchSizeTest, WhatTellsNothingChangesNothing) {
  BatchSize batch({.least = 8, .start = 64, .most = 512});
  EXPECT_EQ(SizeAfter(batch, 100, [](int64_t) { return 0.0; }), 64) << "a device without a clock";
  for (int i = 0; i < 100; ++i) batch.Took(63, 1e-9);
  EXPECT_EQ(batch.size(), 64) << "batches that were not full";
}

TEST(BatchSizeTest, MemoryHasTheLastWord) {
  BatchSize batch({.least = 32, .start = 64, .most = 512});
  batch.Halve(64);
  EXPECT_EQ(batch.size(), 32);
  EXPECT_EQ(SizeAfter(batch, 300, [](int64_t) { return 1e-3; }), 32) << "larger ones did not fit";
  batch.Halve(20);
  EXPECT_EQ(batch.size(), 10);
  batch.Halve(1);
  EXPECT_EQ(batch.size(), 1);
}

TEST(BatchSizeTest, OneSizeIsKept) {
  BatchSize batch({.least = 64, .start = 64, .most = 64});
  EXPECT_EQ(SizeAfter(batch, 300, [](int64_t) { return 1e-3; }), 64);
}

}  // namespace
}  // namespace espalier::search
