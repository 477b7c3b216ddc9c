// What this binary verifies is verified on the card: kernels are launched, and a request can name it.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace espalier
