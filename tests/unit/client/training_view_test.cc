#include "client/training_view.h"

#include <gtest/gtest.h>

namespace espalier::client {
namespace {

v1::TrainProgress Epoch(int64_t epoch, int64_t done) {
  v1::TrainProgress progress;
  progress.set_stage("fine-tune");
  progress.set_epoch(epoch);
  progress.set_done(done);
  progress.set_total(10);
  progress.set_loss(0.5);
  progress.set_accuracy(0.625);
  return progress;
}

v1::TrainProgress Message(const std::string& text) {
  v1::TrainProgress progress;
  progress.set_stage("select");
  progress.set_message(text);
  return progress;
}

TEST(TrainingView, PlainLinesComeWhenAnEpochIsOver) {
  TrainingView view(ProgressView::Style::kPlain, 100);
  EXPECT_EQ(view.Show(Epoch(1, 5)), "");
  EXPECT_EQ(view.Show(Epoch(1, 10)), "");
  EXPECT_EQ(view.Show(Epoch(2, 1)), "     0.0 s  fine-tune  epoch 1    10/10  loss 0.5  62.5 %\n");
  EXPECT_EQ(view.End(), "     0.0 s  fine-tune  epoch 2    1/10  loss 0.5  62.5 %\n");
  EXPECT_EQ(view.End(), "");
}

TEST(TrainingView, MessagesAreShownAtOnceAndOnce) {
  TrainingView view(ProgressView::Style::kPlain, 100);
  EXPECT_EQ(view.Show(Message("40 neurons")), "     0.0 s  select     40 neurons\n");
  EXPECT_EQ(view.End(), "");
}

TEST(TrainingView, AMessageBesideStepsIsOneLine) {
  TrainingView view(ProgressView::Style::kPlain, 100);
  v1::TrainProgress step = Epoch(0, 1);
  step.set_message("base");
  EXPECT_EQ(view.Show(step), "");
  step.set_done(2);
  EXPECT_EQ(view.Show(step), "");
  step.set_message("other");
  EXPECT_NE(view.Show(step).find("base 2/10"), std::string::npos);
}

TEST(TrainingView, ATerminalHasABarThatFitsAndIsCleared) {
  TrainingView view(ProgressView::Style::kTerminal, 40);
  const std::string line = view.Show(Epoch(1, 5));
  EXPECT_EQ(line.rfind("\r\x1b[K[##########..........]", 0), 0U) << line;
  EXPECT_EQ(line.size(), 4U + 39U);
  EXPECT_EQ(view.End().rfind("\r\x1b[K", 0), 0U);
}

TEST(TrainingView, QuietSaysNothing) {
  TrainingView view(ProgressView::Style::kQuiet, 100);
  EXPECT_EQ(view.Show(Message("x")), "");
  EXPECT_EQ(view.Show(Epoch(1, 1)), "");
  EXPECT_EQ(view.End(), "");
}

}  // namespace
}  // namespace espalier::client
