// What this binary verifies is verified on the card: kernels are launched, and a request can name it.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "device.h"
#include "tests/support/test_files.h"
#include "verifier/base/device_lost.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

TEST(CardIsUsedTest, TheDevicesAreNamed) {
  EXPECT_EQ(GetCapabilities().devices, (std::vector<std::string>{"cpu", "cuda:0"}));
  EXPECT_EQ(*DeviceNumber(""), 1);
  EXPECT_EQ(*DeviceNumber("cuda"), 1);
  EXPECT_EQ(*DeviceNumber("cuda:0"), 1);
  EXPECT_EQ(*DeviceNumber("cpu"), 0);
  EXPECT_EQ(DeviceName(1), "cuda:0");
  for (const char* name : {"cuda:1", "cuda:-1", "cuda:x", "cuda0", "gpu"}) {
    EXPECT_EQ(DeviceNumber(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

int64_t LaunchesOnDevice(int64_t device) {
  const auto models = test_support::SourceFolder() / "models";
  const auto model = Model::Load(test_support::ReadFile(models / "tiny_residual.onnx"));
  EXPECT_TRUE(model.ok()) << model.status();
  const int64_t before = cuda_on_host::CountsSoFar().launches;
  api::Property property;
  const auto size = static_cast<size_t>(model->input_size());
  property.boxes.push_back({std::vector<double>(size, 0.0), std::vector<double>(size, 0.1)});
  BoundsRequest request;
  request.device = device;
  const auto bounds = ComputeBounds(*model, property, 0, request, StopToken());
  EXPECT_TRUE(bounds.ok()) << bounds.status();
  return cuda_on_host::CountsSoFar().launches - before;
}

TEST(CardIsUsedTest, BoundsAreComputedWhereTheyAreAskedFor) {
  EXPECT_EQ(LaunchesOnDevice(0), 0);
  EXPECT_GT(LaunchesOnDevice(1), 20);
  EXPECT_GT(LaunchesOnDevice(-1), 20);
}

// Whoever runs the verification learns that the card has failed, wherever in it that happened.
TEST(CardIsUsedTest, ALostCardIsToldFromOtherErrors) {
  const auto models = test_support::SourceFolder() / "models";
  const auto model = Model::Load(test_support::ReadFile(models / "digits.onnx"));
  ASSERT_TRUE(model.ok()) << model.status();
  const auto property =
      ReadQuery(*model, test_support::ReadFile(models / "properties/digits_by_splits.vnnlib"));
  ASSERT_TRUE(property.ok()) << property.status();
  api::Options options;
  options.device = 1;
  for (const int64_t launch : {1, 60, 400}) {
    cuda_on_host::Behaviour behaviour;
    behaviour.fail_launch = launch;
    cuda_on_host::Behave(behaviour);
    const auto verdict = Verify(*model, *property, options, nullptr, StopToken());
    EXPECT_TRUE(IsDeviceLost(verdict.status())) << "launch " << launch << ": " << verdict.status();
  }
  cuda_on_host::Behave({});
}

struct Query {
  explicit Query(const std::string& name, const std::string& property_file)
      : model(*Model::Load(test_support::ReadFile(Models() / name))),
        property(*ReadQuery(model, test_support::ReadFile(Models() / "properties" / property_file))) {}
  static std::filesystem::path Models() { return test_support::SourceFolder() / "models"; }
  absl::StatusOr<api::Verdict> OnCard() const {
    api::Options options;
    options.device = 1;
    return Verify(model, property, options, nullptr, StopToken());
  }
  const Model model;
  const api::Property property;
};

// The search bounds what is left below a root, pass by pass as one launch each.
TEST(CardIsUsedTest, TheSearchReplaysItsPasses) {
  cuda_on_host::Behave({});
  const Query query("digits.onnx", "digits_by_splits.vnnlib");
  const auto verdict = query.OnCard();
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  const auto& counters = verdict->statistics.counters;
  EXPECT_GT(counters.at("cuda_graph_replays"), 10);
  EXPECT_GT(counters.at("cuda_graph_kernels"), 5 * counters.at("cuda_graph_replays"));
  EXPECT_EQ(counters.at("cuda_captures_failed"), 0);
  cuda_on_host::Behave({.fail_captures = true});
  const auto plain = query.OnCard();
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->answer(), verdict->answer());
  EXPECT_EQ(plain->statistics.domains, verdict->statistics.domains) << "the same tree";
  EXPECT_GT(plain->statistics.counters.at("cuda_captures_failed"), 0);
  EXPECT_EQ(plain->statistics.counters.at("cuda_graph_replays"), 0);
  cuda_on_host::Behave({});
}

// Whichever allocation finds no memory: the verdict stands, or the run says why there is none. What is not
// given back ends the process with its pool.
TEST(CardIsUsedTest, NoAllocationThatFailsMakesAVerdictWrong) {
  cuda_on_host::Behave({});
  const Query query("digits.onnx", "digits_by_splits.vnnlib");
  const int64_t before = cuda_on_host::CountsSoFar().allocations;
  const auto known = query.OnCard();
  ASSERT_TRUE(known.ok()) << known.status();
  const int64_t allocations = cuda_on_host::CountsSoFar().allocations - before;
  int64_t right = 0, refused = 0;
  // Every one up to the search's first batches; those of later batches repeat them.
  for (int64_t n = 1; n <= allocations; n += n < 600 ? 1 : 97) {
    cuda_on_host::Behave({.fail_allocation = n});
    const auto verdict = query.OnCard();
    if (!verdict.ok()) {
      EXPECT_EQ(verdict.status().code(), absl::StatusCode::kResourceExhausted) << n << verdict.status();
      ++refused;
    } else if (verdict->answer() == api::Answer::kUnknown) {
      EXPECT_FALSE(verdict->reason().empty()) << n;
      ++refused;
    } else {
      EXPECT_EQ(verdict->answer(), known->answer()) << "allocation " << n;
      ++right;
    }
  }
  std::printf("%lld allocations: %lld times decided, %lld times refused\n",
              static_cast<long long>(allocations), static_cast<long long>(right),
              static_cast<long long>(refused));
  EXPECT_GT(right, 0);
  cuda_on_host::Behave({});
}

}  // namespace
}  // namespace espalier
