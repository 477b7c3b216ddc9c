#include "client/progress_view.h"

#include <gtest/gtest.h>

namespace espalier::client {
namespace {

v1::Progress Sample() {
  v1::Progress progress;
  progress.set_phase("relu-bab");
  progress.set_bound(-0.25);
  progress.set_open(5);
  progress.set_closed(15);
  progress.set_splits(19);
  return progress;
}

TEST(ProgressView, PlainLinesStartAfterASecondAndComeEveryTwo) {
  ProgressView view(ProgressView::Style::kPlain, 100);
  EXPECT_EQ(view.Show(Sample(), 0.9), "");
  const std::string line = view.Show(Sample(), 1.0);
  EXPECT_NE(line.find("relu-bab"), std::string::npos);
  EXPECT_NE(line.find("bound -0.25"), std::string::npos);
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(view.Show(Sample(), 2.9), "");
  EXPECT_NE(view.Show(Sample(), 3.0), "");
  EXPECT_EQ(view.Clear(), "");
}

TEST(ProgressView, ATerminalLineIsRewrittenFitsAndIsCleared) {
  ProgressView view(ProgressView::Style::kTerminal, 40);
  EXPECT_EQ(view.Clear(), "");
  const std::string line = view.Show(Sample(), 0.1);
  EXPECT_EQ(line.rfind("\r\x1b[K[###############.....]", 0), 0U) << line;
  EXPECT_EQ(line.size(), 4U + 39U);
  EXPECT_EQ(view.Clear(), "\r\x1b[K");
  EXPECT_EQ(view.Clear(), "");
}

TEST(ProgressView, QuietSaysNothing) {
  ProgressView view(ProgressView::Style::kQuiet, 100);
  EXPECT_EQ(view.Show(Sample(), 100), "");
}

}  // namespace
}  // namespace espalier::client
