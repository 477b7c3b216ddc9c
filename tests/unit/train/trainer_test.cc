#include "verifier/train/trainer.h"

#include <gtest/gtest.h>

#include "tests/unit/train/toy_problem.h"
#include "verifier/train/accuracy.h"
#include "verifier/train/batch.h"
#include "verifier/train/parameters.h"

namespace espalier::train {
namespace {

api::TrainOptions Options() {
  api::TrainOptions options;
  options.epsilon = 0.05;
  options.epochs = 6;
  options.batch = 16;
  options.learning_rate = 0.05;
  options.augment = 0;
  return options;
}

std::vector<double> LastWeights(const ir::Network& network) {
  return std::get<ir::DenseMap>(*network.nodes[static_cast<size_t>(network.output)].terms[0].map).weights;
}

class TrainerTest : public ::testing::Test {
 protected:
  absl::StatusOr<ir::Network> Run(const api::TrainOptions& options, const TrainHooks& hooks = {},
                                  StopToken stop = {}) {
    return Train(SmallNetwork(3), AllOf(data_), options, *backend_, hooks, stop);
  }
  std::unique_ptr<backend::Backend> backend_ = OneThread();
  Dataset data_ = StripeData(240, 2);
};

TEST_F(TrainerTest, LearnsTheStripes) {
  const auto trained = Run(Options());
  ASSERT_TRUE(trained.ok()) << trained.status();
  const Dataset unseen = StripeData(90, 77);
  const auto accuracy =
      MeasureAccuracy(*trained, AllOf(unseen), {.epsilon = 0.05, .steps = 5}, *backend_, StopToken());
  ASSERT_TRUE(accuracy.ok()) << accuracy.status();
  EXPECT_GT(accuracy->clean, 80);
  EXPECT_GT(accuracy->attacked, 70);
  EXPECT_LE(accuracy->attacked, accuracy->clean);
  EXPECT_EQ(accuracy->correct.size(), 90u);
}

// Interval bounds prove more of a network that was trained on them.
TEST_F(TrainerTest, TrainingOnBoxesMakesBoxesProvable) {
  const auto proved = [&](const ir::Network& network) {
    auto device = DeviceNetwork::Make(network, *backend_, 240, /*boxes=*/true);
    Batch batch;
    BatchReader(network, data_).Read(AllOf(data_).order, 0, 240, batch);
    auto x = backend::Allocate<float>(*backend_, static_cast<int64_t>(batch.x.size()));
    auto label = backend::Allocate<int32_t>(*backend_, 240);
    backend_->Upload(batch.x.data(), static_cast<int64_t>(batch.x.size() * 4), x->data());
    backend_->Upload(batch.label.data(), 240 * 4, label->data());
    (*device)->ForwardBox(240, x->data(), 0.15f, label->data());
    const std::vector<float> logits = Download(*backend_, (*device)->logits(), 240 * 3);
    int64_t count = 0;
    for (size_t r = 0; r < 240; ++r) {
      const auto wanted = static_cast<size_t>(batch.label[r]);
      bool all = true;
      for (size_t c = 0; c < 3; ++c) all = all && (c == wanted || logits[r * 3 + wanted] > logits[r * 3 + c]);
      count += all ? 1 : 0;
    }
    return count;
  };
  api::TrainOptions points = Options();
  points.epsilon = 0.1;
  points.learning_rate = 0.02;
  api::TrainOptions boxes = points;
  boxes.box_share = 0.7;
  const auto on_points = Run(points), on_boxes = Run(boxes);
  ASSERT_TRUE(on_points.ok() && on_boxes.ok()) << on_boxes.status();
  EXPECT_GT(proved(*on_boxes), proved(*on_points) + 24);
}

TEST_F(TrainerTest, AttackFindsWhatAWiderBoxHolds) {
  const auto trained = Run(Options());
  ASSERT_TRUE(trained.ok());
  const auto attacked = [&](double epsilon) {
    return MeasureAccuracy(*trained, AllOf(data_), {.epsilon = epsilon, .steps = 10}, *backend_, StopToken())
        ->attacked;
  };
  EXPECT_EQ(attacked(0), MeasureAccuracy(*trained, AllOf(data_), {}, *backend_, StopToken())->clean);
  EXPECT_LT(attacked(0.5), attacked(0.02));
  EXPECT_EQ(attacked(1.0), 0);
}

TEST_F(TrainerTest, SameSeedSameNetwork) {
  for (int64_t steps : {int64_t{0}, int64_t{1}, int64_t{3}}) {
    api::TrainOptions options = Options();
    options.epochs = 2;
    options.attack_steps = steps;
    options.augment = 1;
    const auto first = Run(options), second = Run(options);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(LastWeights(*first), LastWeights(*second));
    options.seed = 1;
    EXPECT_NE(LastWeights(*first), LastWeights(*Run(options)));
  }
}

TEST_F(TrainerTest, GoesOnFromACheckpointToTheSameNetwork) {
  std::vector<TrainState> states;
  TrainHooks hooks;
  hooks.checkpoint = [&](const TrainState& state) { states.push_back(state); };
  const auto whole = Run(Options(), hooks);
  ASSERT_TRUE(whole.ok());
  ASSERT_EQ(states.size(), 5u);
  for (size_t k : {size_t{0}, size_t{3}}) {
    TrainHooks resumed;
    resumed.resume = states[k];
    const auto rest = Run(Options(), resumed);
    ASSERT_TRUE(rest.ok()) << rest.status();
    EXPECT_EQ(LastWeights(*rest), LastWeights(*whole));
  }
}

TEST_F(TrainerTest, FollowsATeacher) {
  const ir::Network teacher = SmallNetwork(8);
  api::TrainOptions options = Options();
  options.distil = 1;
  options.epochs = 40;
  TrainHooks hooks;
  hooks.teacher = &teacher;
  const auto agree = [&](const ir::Network& network) {
    Dataset relabelled = data_;  // with the teacher's classes
    std::vector<float> sample(72);
    for (int64_t i = 0; i < relabelled.size(); ++i) {
      relabelled.CopySample(i, sample.data());
      std::vector<double> x;
      for (int64_t from : teacher.input_order)
        x.push_back(static_cast<double>(sample[static_cast<size_t>(from)]));
      const auto logits = ir::EvaluateNodes(teacher, x)[static_cast<size_t>(teacher.output)];
      relabelled.labels[static_cast<size_t>(i)] =
          static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    }
    return MeasureAccuracy(network, AllOf(relabelled), {.steps = 0}, *backend_, StopToken())->clean;
  };
  const auto student = Run(options, hooks);
  ASSERT_TRUE(student.ok());
  EXPECT_GT(agree(*student), 200);
  options.distil = 0;
  EXPECT_LT(agree(*Run(options, hooks)), 160);
}

TEST_F(TrainerTest, ALossThatIsNotFiniteEndsWithAborted) {
  api::TrainOptions options = Options();
  options.learning_rate = 100;
  options.epochs = 50;
  const auto trained = Run(options);
  ASSERT_EQ(trained.status().code(), absl::StatusCode::kAborted) << trained.status();
  EXPECT_NE(std::string(trained.status().message()).find("epoch"), std::string::npos);
}

TEST_F(TrainerTest, StopsAndRefusesWhatDoesNotFit) {
  StopSource source;
  source.Cancel();
  EXPECT_EQ(Run(Options(), {}, source.token()).status().code(), absl::StatusCode::kCancelled);
  data_.labels[7] = 3;
  EXPECT_NE(std::string(Run(Options()).status().message()).find("label 3 of sample 7"), std::string::npos);
  data_ = StripeData(4, 1);
  data_.shape = {2, 6, 5};
  EXPECT_EQ(Run(Options()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TrainerTest, ReportsEveryEpoch) {
  std::vector<int64_t> finished;
  TrainHooks hooks;
  hooks.progress = [&](const api::TrainProgress& progress) {
    if (progress.done == progress.total) finished.push_back(progress.epoch);
  };
  ASSERT_TRUE(Run(Options(), hooks).ok());
  EXPECT_EQ(finished, (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
}

}  // namespace
}  // namespace espalier::train
