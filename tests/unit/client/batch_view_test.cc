#include "client/batch/batch_view.h"

#include <gtest/gtest.h>

#include "tests/unit/client/batch_samples.h"

namespace espalier::client {
namespace {

using Style = ProgressView::Style;

TEST(BatchView, PlainLinesSayWhatEnded) {
  BatchView view(Style::kPlain, 100, 12);
  view.Known(SampleRecord("sat", 1));
  view.Start(0, "a q", "private", 0);
  EXPECT_EQ(view.Draw(1), "");
  EXPECT_EQ(view.Finish(0, SampleRecord("unsat", 0.25)), "[ 2/12] unsat       0.250 s  a q\n");
  EXPECT_NE(view.Finish(0, SampleRecord("error", 0)).find("model not supported (node '<n>' is a Softmax)"),
            std::string::npos);
  EXPECT_EQ(view.Message("hello"), "hello\n");
  EXPECT_EQ(CountsText(view.counts()), "1 sat, 1 unsat, 1 error");
}

TEST(BatchView, ATerminalsBlockIsRewrittenAndFits) {
  BatchView view(Style::kTerminal, 50, 4);
  view.Start(0, "net_a prop_1", "private", 0);
  view.Start(1, "net_b prop_2", "host:1", 1);
  v1::Progress progress;
  progress.set_phase("relu-bab");
  progress.set_bound(-0.5);
  progress.set_open(7);
  view.Progress(1, progress);
  const std::string block = view.Draw(3);
  EXPECT_EQ(block.rfind("[........................] 0/4  nothing", 0), 0U) << block;
  EXPECT_NE(block.find("3.0 s  net_a prop_1"), std::string::npos) << block;
  EXPECT_NE(block.find("2.0 s  net_b prop_2"), std::string::npos) << block;
  for (size_t at = 0, end = 0; (end = block.find('\n', at)) != std::string::npos; at = end + 1)
    EXPECT_LE(end - at, 49U);
  EXPECT_EQ(view.Draw(4).rfind("\x1b[3A\r\x1b[J", 0), 0U) << "three lines up";
  EXPECT_EQ(view.Finish(1, SampleRecord("sat", 2)).rfind("\x1b[3A\r\x1b[J[1/4] sat", 0), 0U);
  EXPECT_EQ(view.Draw(5).rfind("[######....", 0), 0U) << "nothing to remove: the line has removed it";
  view.GiveBack(0);
  EXPECT_EQ(view.Draw(6).find("net_a"), std::string::npos);
  EXPECT_EQ(view.Clear(), "\x1b[1A\r\x1b[J");
  EXPECT_EQ(view.Clear(), "");
}

TEST(BatchView, ManySlotsStayWithinABlock) {
  BatchView view(Style::kTerminal, 80, 100);
  for (size_t slot = 0; slot < 30; ++slot) view.Start(slot, "a", "private", 0);
  const std::string block = view.Draw(1);
  EXPECT_EQ(std::count(block.begin(), block.end(), '\n'), 12);
  EXPECT_NE(block.find("and 20 more"), std::string::npos);
}

TEST(BatchView, SaysHowMuchIsLeftFromWhatItRanItself) {
  BatchView view(Style::kTerminal, 120, 20);
  for (int i = 0; i < 5; ++i) view.Known(SampleRecord("unsat", 1));
  for (int i = 0; i < 5; ++i) view.Finish(0, SampleRecord("unsat", 1));
  EXPECT_NE(view.Draw(10).find("10 s, about 20 s left"), std::string::npos);
}

TEST(BatchView, Durations) {
  EXPECT_EQ(DurationText(0.4), "0 s");
  EXPECT_EQ(DurationText(200), "3 min 20 s");
  EXPECT_EQ(DurationText(7500), "2 h 05 min");
}

}  // namespace
}  // namespace espalier::client
