#include "server/train_buffer.h"

#include <gtest/gtest.h>

namespace espalier::server {
namespace {

const absl::Time kStart = absl::UnixEpoch();

v1::TrainProgress Step(const std::string& stage, int64_t done, const std::string& message = "") {
  v1::TrainProgress progress;
  progress.set_stage(stage);
  progress.set_done(done);
  progress.set_message(message);
  return progress;
}

TrainBuffer* Opened() {
  auto* buffer = new TrainBuffer;
  buffer->Accept(v1::Accepted());
  EXPECT_TRUE(buffer->Next(kStart)->has_accepted());
  return buffer;
}

class TrainBufferTest : public testing::Test {
 protected:
  std::unique_ptr<TrainBuffer> buffer_{Opened()};
};

TEST(TrainBuffer, NothingLeavesBeforeAccepted) {
  TrainBuffer buffer;
  buffer.Push(Step("train", 1));
  EXPECT_FALSE(buffer.Next(kStart).has_value());
  buffer.Accept(v1::Accepted());
  EXPECT_TRUE(buffer.Next(kStart)->has_accepted());
  EXPECT_TRUE(buffer.Next(kStart)->has_progress());
}

TEST_F(TrainBufferTest, ProgressIsThinnedOutAndKeepsStagesAndMessages) {
  buffer_->Push(Step("score", 1));
  EXPECT_EQ(buffer_->Next(kStart)->progress().done(), 1);
  buffer_->Push(Step("score", 2));
  buffer_->Push(Step("score", 3));
  buffer_->Push(Step("select", 1, "half of the neurons"));
  buffer_->Push(Step("select", 2));
  EXPECT_FALSE(buffer_->Next(kStart + absl::Milliseconds(199)).has_value());
  const absl::Time due = kStart + TrainBuffer::kInterval;
  EXPECT_EQ(buffer_->Next(due)->progress().done(), 3) << "the newest of its stage";
  EXPECT_EQ(buffer_->Next(due)->progress().message(), "half of the neurons");
  EXPECT_EQ(buffer_->Next(due)->progress().done(), 2);
  EXPECT_FALSE(buffer_->Next(due).has_value());
}

TEST_F(TrainBufferTest, AReaderThatSleepsCostsLittleMemory) {
  for (int i = 0; i < 1000; ++i) buffer_->Push(Step("fit", i, i % 2 == 0 ? "even" : "odd"));
  size_t events = 0;
  int64_t last = 0;
  while (const auto event = buffer_->Next(kStart)) {
    ++events;
    last = event->progress().done();
  }
  EXPECT_EQ(events, TrainBuffer::kMaxWaiting);
  EXPECT_EQ(last, 999);
}

TEST_F(TrainBufferTest, ACheckpointThatWasBegunIsEndedThenOnlyTheNewestFollows) {
  const std::string first(TrainBuffer::kPartBytes + 5, 'a');
  buffer_->PushCheckpoint(first);
  const auto part = buffer_->Next(kStart);
  EXPECT_EQ(part->checkpoint().bytes().size(), TrainBuffer::kPartBytes);
  EXPECT_FALSE(part->checkpoint().last());
  buffer_->PushCheckpoint("second");
  buffer_->PushCheckpoint("third");
  const auto rest = buffer_->Next(kStart);
  EXPECT_EQ(rest->checkpoint().bytes(), "aaaaa");
  EXPECT_TRUE(rest->checkpoint().last());
  EXPECT_EQ(buffer_->Next(kStart)->checkpoint().bytes(), "third");
  EXPECT_FALSE(buffer_->Next(kStart).has_value());
}

TEST_F(TrainBufferTest, TheNewestCheckpointThenTheModelThenTheResult) {
  buffer_->PushCheckpoint("last");
  buffer_->Push(Step("export", 1));
  v1::TrainEvent result;
  result.mutable_trained()->set_samples(7);
  buffer_->PushResult(std::string(TrainBuffer::kPartBytes, 'm'), result);
  EXPECT_EQ(buffer_->Next(kStart)->progress().stage(), "export");
  EXPECT_EQ(buffer_->Next(kStart)->checkpoint().bytes(), "last");
  const auto model = buffer_->Next(kStart);
  EXPECT_EQ(model->model().bytes().size(), TrainBuffer::kPartBytes);
  EXPECT_TRUE(model->model().last());
  EXPECT_EQ(buffer_->Next(kStart)->trained().samples(), 7);
  EXPECT_FALSE(buffer_->Next(kStart).has_value());
}

TEST_F(TrainBufferTest, AnErrorWaitsForTheNewestCheckpoint) {
  buffer_->Push(Step("train", 1));
  ASSERT_TRUE(buffer_->Next(kStart).has_value());
  buffer_->Push(Step("train", 2));
  buffer_->PushCheckpoint("good");
  buffer_->Close();
  EXPECT_EQ(buffer_->Next(kStart)->progress().done(), 2) << "not kept waiting";
  EXPECT_EQ(buffer_->Next(kStart)->checkpoint().bytes(), "good");
  EXPECT_FALSE(buffer_->Next(kStart).has_value());
}

}  // namespace
}  // namespace espalier::server
