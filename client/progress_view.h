// Progress on stderr: one line that is rewritten on a terminal; elsewhere plain lines, the first after a
// second and then at most one every two seconds, so that short runs and log files stay quiet.
//
//   ProgressView view(ProgressView::StyleOf(STDERR_FILENO), ProgressView::WidthOf(STDERR_FILENO));
//   std::fputs(view.Show(progress, seconds_since_start).c_str(), stderr);
//   std::fputs(view.Clear().c_str(), stderr);   // before anything else is printed
#pragma once

#include <string>

#include "espalier/v1/verify.pb.h"

namespace espalier::client {

class ProgressView {
 public:
  enum class Style { kQuiet, kPlain, kTerminal };

  // kTerminal when the descriptor is a terminal, else kPlain.
  static Style StyleOf(int descriptor);

  // Columns of the terminal behind a descriptor; 100 when it does not say.
  static int WidthOf(int descriptor);

  ProgressView(Style style, int width) : style_(style), width_(width) {}

  // What to write now; empty when nothing is due. `seconds`: since the start, on the client's clock.
  std::string Show(const v1::Progress& progress, double seconds);
  // Removes the rewritten line; empty when there is none.
  std::string Clear();

 private:
  const Style style_;
  const int width_;
  double next_line_s_ = 1;
  bool line_shown_ = false;
};

}  // namespace espalier::client
