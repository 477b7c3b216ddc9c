// Graphs of launches: captured once and replayed, dropped when they cannot be had, and never given what a
// capture does not bear.
#include "cuda_kernels/graph.h"

#include <gtest/gtest.h>

#include <vector>

#include "cuda_kernels/launch.cuh"
#include "device.h"
#include "verifier/base/device_lost.h"

namespace espalier::cuda_kernels {
namespace {

struct CountBody {
  double* out;
  __device__ void operator()(int64_t i) const { out[i] += 1; }
};

class GraphTest : public testing::Test {
 protected:
  ~GraphTest() override {
    values_ = {};
    state_.reset();
    cuda_on_host::Behave({});
  }
  void Open(const cuda_on_host::Behaviour& behaviour = {}) {
    cuda_on_host::Behave(behaviour);
    state_ = *CudaState::Make(0, 1 << 20, stop_.token());
    values_ = *DeviceArray<double>::From(state_, std::vector<double>(8, 0.0));
  }
  void Count() { ForElements(*state_, 8, CountBody{values_.data()}); }
  double Counted() {
    double value = 0;
    state_->Download(values_.data() + 3, sizeof(double), &value);
    return value;
  }
  StopSource stop_;
  std::shared_ptr<CudaState> state_;
  DeviceArray<double> values_;
};

TEST_F(GraphTest, IsCapturedOnceAndReplayed) {
  for (const auto schedule : {cuda_on_host::Schedule::kLate, cuda_on_host::Schedule::kPortions}) {
    Open({.schedule = schedule});
    const int64_t before = cuda_on_host::CountsSoFar().replays;
    LaunchGraph graph;
    int queued = 0;
    for (int run = 0; run < 5; ++run) {
      graph.Run(*state_, [&] {
        ++queued;
        Count();
        Count();
      });
    }
    EXPECT_EQ(Counted(), 10.0);
    EXPECT_EQ(queued, 1);
    EXPECT_EQ(cuda_on_host::CountsSoFar().replays - before, 5);
    EXPECT_EQ(state_->counts().replays, 5);
    EXPECT_EQ(state_->counts().replayed, 10);
    EXPECT_EQ(state_->counts().launches, 0);
    EXPECT_EQ(state_->counts().captures_failed, 0);
  }
}

TEST_F(GraphTest, WhereCaptureFailsKernelsAreStartedOneByOne) {
  Open({.fail_captures = true});
  LaunchGraph graph;
  for (int run = 0; run < 5; ++run) graph.Run(*state_, [&] { Count(); });
  EXPECT_EQ(Counted(), 5.0);
  EXPECT_EQ(state_->counts().launches, 5);
  EXPECT_EQ(state_->counts().replays, 0);
  EXPECT_EQ(state_->counts().captures_failed, 1) << "tried once";
  EXPECT_TRUE(state_->Synchronise().ok());
}

// Half a sequence is none.
TEST_F(GraphTest, AStopInTheMiddleOfACaptureLeavesNothing) {
  Open();
  LaunchGraph graph;
  graph.Run(*state_, [&] {
    Count();
    stop_.Cancel();
    Count();
  });
  EXPECT_EQ(Counted(), 0.0);
  EXPECT_EQ(state_->counts().replays, 0);
  EXPECT_EQ(state_->Synchronise().code(), absl::StatusCode::kCancelled);
}

TEST_F(GraphTest, AnErrorInAReplayIsTheCards) {
  Open();
  LaunchGraph graph;
  graph.Run(*state_, [&] { Count(); });
  cuda_on_host::Behave({.fail_launch = 1});
  graph.Run(*state_, [&] { Count(); });
  EXPECT_TRUE(IsDeviceLost(state_->Synchronise()));
}

using GraphDeathTest = GraphTest;

TEST_F(GraphDeathTest, WhatACaptureDoesNotBearEndsTheTest) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  Open();
  LaunchGraph graph;
  double number = 0;
  EXPECT_DEATH(graph.Run(*state_, [&] { (void)state_->Allocate(8); }), "allocating while a graph");
  EXPECT_DEATH(graph.Run(*state_, [&] { state_->Free(values_.data(), 64); }), "freeing while a graph");
  EXPECT_DEATH(graph.Run(*state_, [&] { state_->Upload(&number, 8, values_.data()); }), "copying while");
  EXPECT_DEATH(graph.Run(*state_, [&] { state_->Download(values_.data(), 8, &number); }), "copying while");
  EXPECT_DEATH(graph.Run(*state_, [&] { (void)state_->Synchronise(); }), "waiting for a stream while");
}

}  // namespace
}  // namespace espalier::cuda_kernels
