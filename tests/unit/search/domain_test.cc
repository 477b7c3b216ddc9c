#include "verifier/search/domain.h"

#include <gtest/gtest.h>

#include "verifier/search/branching.h"

namespace espalier::search {
namespace {

Domain WithBound(double bound, size_t bytes = 0) {
  Domain domain;
  domain.bound = bound;
  domain.slopes.resize(bytes);
  return domain;
}

std::vector<double> Bounds(const std::vector<Domain>& domains) {
  std::vector<double> bounds;
  for (const Domain& domain : domains) bounds.push_back(domain.bound);
  return bounds;
}

TEST(DomainQueueTest, WorstFirst) {
  DomainQueue queue(1 << 20);
  for (double bound : {-1.0, -5.0, -3.0, -4.0}) queue.Push(WithBound(bound));
  EXPECT_EQ(queue.size(), 4);
  EXPECT_EQ(queue.WorstBound(), -5);
  EXPECT_EQ(Bounds(queue.Pop(3)), (std::vector<double>{-5, -4, -3}));
  EXPECT_EQ(Bounds(queue.Pop(3)), (std::vector<double>{-1}));
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.Pop(3).empty());
}

TEST(DomainQueueTest, PastTheBudgetBestFirst) {
  DomainQueue queue(3 * WithBound(0, 1000).Bytes());
  for (double bound : {-1.0, -5.0, -3.0, -4.0, -2.0}) queue.Push(WithBound(bound, 1000));
  // Two above the budget: the best ones leave until it is kept, then the worst again.
  EXPECT_EQ(Bounds(queue.Pop(3)), (std::vector<double>{-1, -2, -5}));
  EXPECT_EQ(Bounds(queue.Pop(2)), (std::vector<double>{-4, -3}));
}

TEST(DomainQueueTest, BytesAreThoseOfTheOpenDomains) {
  DomainQueue queue(1 << 20);
  queue.Push(WithBound(-1, 5000));
  EXPECT_GE(queue.bytes(), 5000);
  queue.Push(WithBound(-2, 100));
  queue.Pop(2);
  EXPECT_EQ(queue.bytes(), 0);
}

TEST(DomainQueueTest, EqualBoundsKeepTheirOrder) {
  DomainQueue queue(1 << 20);
  for (int32_t target : {3, 1, 2}) {
    Domain domain = WithBound(-1);
    domain.target = target;
    queue.Push(std::move(domain));
  }
  const std::vector<Domain> taken = queue.Pop(3);
  EXPECT_EQ(taken[0].target, 3);
  EXPECT_EQ(taken[1].target, 1);
  EXPECT_EQ(taken[2].target, 2);
}

TEST(MakeChildTest, InheritsAndAddsOneSplit) {
  Domain parent = WithBound(-2);
  parent.target = 4;
  parent.splits = {{0, 1, 7, 0.5f}};
  parent.slopes = {1, 2, 3};
  parent.weights = {0, 1};
  parent.candidates = {{1, 3, 9.0f}};
  parent.corner = {0.5f};
  const Domain child = MakeChild(parent, parent.candidates[0], -1);
  EXPECT_EQ(child.target, 4);
  EXPECT_EQ(child.bound, -2);
  ASSERT_EQ(child.splits.size(), 2u);
  EXPECT_EQ(child.splits[0].beta, 0.5f);
  EXPECT_EQ(child.splits[1].layer, 1);
  EXPECT_EQ(child.splits[1].unstable, 3);
  EXPECT_EQ(child.splits[1].sign, -1);
  EXPECT_EQ(child.splits[1].beta, 0.0f);
  EXPECT_EQ(child.slopes, parent.slopes);
  EXPECT_EQ(child.weights, parent.weights);
  EXPECT_TRUE(child.candidates.empty());
  EXPECT_TRUE(child.corner.empty());
}

}  // namespace
}  // namespace espalier::search
