#include "client/progress_view.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace espalier::client {
namespace {

constexpr double kPlainIntervalSeconds = 2;
constexpr int kBarWidth = 20;
constexpr char kEraseLine[] = "\r\x1b[K";

std::string Bar(const v1::Progress& progress) {
  // Refuted domains over all domains so far: no forecast, but it shows whether the search is closing in.
  const double all = static_cast<double>(progress.open()) + static_cast<double>(progress.closed());
  const double share = all > 0 ? static_cast<double>(progress.closed()) / all : 0;
  const int filled = std::clamp(static_cast<int>(std::floor(share * kBarWidth)), 0, kBarWidth);
  return absl::StrCat("[", std::string(static_cast<size_t>(filled), '#'),
                      std::string(static_cast<size_t>(kBarWidth - filled), '.'), "]");
}

std::string Text(const v1::Progress& progress, double seconds) {
  std::string text = absl::StrFormat("%7.1f s  %-9s bound %-11.5g open %-7d closed %-7d splits %-7d", seconds,
                                     progress.phase(), progress.bound(), progress.open(), progress.closed(),
                                     progress.splits());
  if (progress.disjuncts_total() > 1) {
    absl::StrAppendFormat(&text, " parts %d/%d", progress.disjuncts_total() - progress.disjuncts_open(),
                          progress.disjuncts_total());
  }
  return text;
}

}  // namespace

ProgressView::Style ProgressView::StyleOf(int descriptor) {
  return isatty(descriptor) != 0 ? Style::kTerminal : Style::kPlain;
}

int ProgressView::WidthOf(int descriptor) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 100;
}

std::string ProgressView::Show(const v1::Progress& progress, double seconds) {
  if (style_ == Style::kTerminal) {
    line_shown_ = true;
    // A line that wraps could not be rewritten.
    const std::string line = absl::StrCat(Bar(progress), " ", Text(progress, seconds));
    return absl::StrCat(kEraseLine, line.substr(0, static_cast<size_t>(std::max(0, width_ - 1))));
  }
  if (style_ == Style::kQuiet || seconds < next_line_s_) return "";
  next_line_s_ = seconds + kPlainIntervalSeconds;
  return absl::StrCat(Text(progress, seconds), "\n");
}

std::string ProgressView::Clear() {
  if (!line_shown_) return "";
  line_shown_ = false;
  return kEraseLine;
}

}  // namespace espalier::client
