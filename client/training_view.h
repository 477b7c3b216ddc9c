// Progress of train, graft and compare on stderr: one line for every stage, epoch and message when it is
// over, and on a terminal below them a bar that is rewritten.
//
//   TrainingView view(ProgressView::StyleOf(STDERR_FILENO), ProgressView::WidthOf(STDERR_FILENO));
//   std::fputs(view.Show(progress).c_str(), stderr);
//   std::fputs(view.End().c_str(), stderr);   // before anything else is printed
#pragma once

#include <optional>
#include <string>

#include "client/progress_view.h"
#include "espalier/v1/training.pb.h"

namespace espalier::client {

class TrainingView {
 public:
  TrainingView(ProgressView::Style style, int width) : style_(style), width_(width) {}

  // What to write now; empty when nothing is due.
  std::string Show(const v1::TrainProgress& progress);
  // The line of the stage that was shown last, and no bar any more.
  std::string End();

 private:
  std::string Clear();

  const ProgressView::Style style_;
  const int width_;
  std::optional<v1::TrainProgress> last_;  // whose line was not written yet
  bool bar_shown_ = false;
};

}  // namespace espalier::client
