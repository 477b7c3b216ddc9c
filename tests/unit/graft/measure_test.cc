// Measure and Compare through the façade, on networks small enough to know every answer.
#include "verifier/measure.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/graft/graft_network.h"
#include "verifier/formats/onnx_writer.h"

namespace espalier {
namespace {

// Class 0 where relu(x) > threshold.
Model ThresholdModel(double threshold) {
  const ir::Network network = graft::ReluNetwork(1, {{{{1}}, {0}}, {{{1}, {-1}}, {-threshold, threshold}}});
  return *Model::Load(*formats::WriteOnnx(network, {}));
}

class MeasureTest : public ::testing::Test {
 protected:
  // At radius 0.1 around threshold 0.5: wrong; safe; falsified; safe.
  Dataset data_ = graft::MakeData(1, {{0.25f}, {0.875f}, {0.53125f}, {0.125f}}, {0, 0, 0, 1});
  std::vector<int64_t> order_ = {0, 1, 2, 3};
  std::unique_ptr<backend::Backend> backend_ = *backend::MakeCpuBackend({.threads = 1});
};

TEST_F(MeasureTest, CountsCorrectAttackedAndVerifiedSamples) {
  MeasureSettings settings;
  settings.box.epsilon = 0.1;
  settings.verify_samples = 4;
  settings.verify_timeout_s = 30;
  settings.threads = 1;
  std::vector<std::string> stages;
  const auto progress = [&](const api::TrainProgress& line) { stages.push_back(line.stage); };
  const auto m =
      Measure(ThresholdModel(0.5), Samples{&data_, order_}, settings, *backend_, progress, StopToken());
  ASSERT_TRUE(m.ok()) << m.status();
  EXPECT_EQ(m->samples, 4);
  EXPECT_EQ(m->clean_accuracy, 0.75);
  EXPECT_EQ(m->attacked_accuracy, 0.5);
  EXPECT_EQ(m->verify_samples, 4);
  EXPECT_EQ(m->verified, 0.5);
  EXPECT_EQ(m->root_verified, 0.5);
  EXPECT_EQ(m->falsified, 0.5);
  EXPECT_EQ(m->undecided, 0);
  EXPECT_GE(m->total_seconds, m->median_seconds);
  EXPECT_EQ(std::count(stages.begin(), stages.end(), "verify"), 4);
}

TEST_F(MeasureTest, AtTheRootACounterexampleStaysUndecided) {
  MeasureSettings settings;
  settings.box.epsilon = 0.1;
  settings.verify_samples = 3;
  const auto m =
      Measure(ThresholdModel(0.5), Samples{&data_, order_}, settings, *backend_, nullptr, StopToken());
  ASSERT_TRUE(m.ok()) << m.status();
  EXPECT_EQ(m->samples, 4);
  EXPECT_EQ(m->verify_samples, 3);
  EXPECT_DOUBLE_EQ(m->root_verified, 1.0 / 3);
  EXPECT_EQ(m->verified, m->root_verified);
  EXPECT_DOUBLE_EQ(m->falsified, 1.0 / 3);  // the wrong one
  EXPECT_NEAR(m->undecided, 1.0 / 3, 1e-12);
}

TEST_F(MeasureTest, RefusesWhatDoesNotFit) {
  const Model model = ThresholdModel(0.5);
  const auto code = [&](const std::vector<int64_t>& order) {
    return Measure(model, Samples{&data_, order}, {}, *backend_, nullptr, StopToken()).status().code();
  };
  EXPECT_EQ(code({4}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({-1}), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(LabelProperty(model, {0.5f, 0.5f}, 0, {}).ok());
  EXPECT_FALSE(LabelProperty(model, {0.5f}, 2, {}).ok());
  EXPECT_FALSE(LabelProperty(model, {0.5f}, 0, {.epsilon = -1}).ok());
  StopSource source;
  source.Cancel();
  EXPECT_EQ(Measure(model, Samples{&data_, order_}, {}, *backend_, nullptr, source.token()).status().code(),
            absl::StatusCode::kCancelled);
}

TEST_F(MeasureTest, PropertyBoxIsCutToTheInputRange) {
  const auto property =
      LabelProperty(ThresholdModel(0.5), {0.875f}, 0, {.epsilon = 0.25, .low = 0, .high = 1});
  ASSERT_TRUE(property.ok()) << property.status();
  EXPECT_EQ(property->boxes[0].lower[0], 0.625);
  EXPECT_EQ(property->boxes[0].upper[0], 1);
  ASSERT_EQ(property->disjuncts.size(), 1u);
  const std::vector<std::pair<int32_t, double>> row = {{0, 1.0}, {1, -1.0}};
  EXPECT_EQ(property->disjuncts[0].rows[0].output, row);
}

TEST_F(MeasureTest, CompareReportsBothNetworksAndTheirDifference) {
  const Model base = ThresholdModel(0.5), other = ThresholdModel(0.25);
  CompareRequest request;
  request.base = &base;
  request.other = &other;
  request.data = &data_;
  request.epsilon = 0.1;
  request.threads = 1;
  const auto difference = Compare(request, {}, StopToken());
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_EQ(difference->samples, 4);
  ASSERT_EQ(difference->bound.size(), 4u);
  for (size_t s = 0; s < 4; ++s) {
    EXPECT_NEAR(difference->bound[s], 0.25, 1e-6);
    EXPECT_NEAR(difference->found[s], 0.25, 1e-6);
    EXPECT_GE(difference->bound[s], difference->found[s]);
  }
  EXPECT_EQ(difference->base.clean_accuracy, 0.75);
  EXPECT_EQ(difference->base.root_verified, 0.5);
  EXPECT_EQ(difference->other.root_verified, 0.75);
  request.other = nullptr;
  EXPECT_EQ(Compare(request, {}, StopToken()).status().code(), absl::StatusCode::kInvalidArgument);
  request.other = &other;
  request.epsilon = -1;
  EXPECT_EQ(Compare(request, {}, StopToken()).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace espalier
