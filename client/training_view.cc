#include "client/training_view.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace espalier::client {
namespace {

constexpr int kBarWidth = 20;
constexpr char kEraseLine[] = "\r\x1b[K";

std::string Text(const v1::TrainProgress& progress) {
  std::string text = absl::StrFormat("%8.1f s  %-10s", progress.seconds(), progress.stage());
  if (progress.epoch() > 0) absl::StrAppendFormat(&text, " epoch %-4d", progress.epoch());
  if (!progress.message().empty()) absl::StrAppend(&text, " ", progress.message());
  if (progress.total() > 0) absl::StrAppendFormat(&text, " %d/%d", progress.done(), progress.total());
  if (progress.loss() != 0) absl::StrAppendFormat(&text, "  loss %.4g", progress.loss());
  if (progress.accuracy() != 0) absl::StrAppendFormat(&text, "  %.1f %%", 100 * progress.accuracy());
  return text;
}

std::string Bar(const v1::TrainProgress& progress) {
  const double share =
      progress.total() > 0 ? static_cast<double>(progress.done()) / static_cast<double>(progress.total()) : 0;
  const int filled = std::clamp(static_cast<int>(std::floor(share * kBarWidth)), 0, kBarWidth);
  return absl::StrCat("[", std::string(static_cast<size_t>(filled), '#'),
                      std::string(static_cast<size_t>(kBarWidth - filled), '.'), "]");
}

}  // namespace

std::string TrainingView::Clear() {
  if (!bar_shown_) return "";
  bar_shown_ = false;
  return kEraseLine;
}

std::string TrainingView::Show(const v1::TrainProgress& progress) {
  if (style_ == ProgressView::Style::kQuiet) return "";
  std::string text = Clear();
  if (last_ && (last_->stage() != progress.stage() || last_->epoch() != progress.epoch() ||
                last_->message() != progress.message())) {
    absl::StrAppend(&text, Text(*last_), "\n");
    last_.reset();
  }
  if (!progress.message().empty() && progress.total() == 0) {  // nothing to wait for
    absl::StrAppend(&text, Text(progress), "\n");
    last_.reset();
    return text;
  }
  last_ = progress;
  if (style_ != ProgressView::Style::kTerminal) return text;
  bar_shown_ = true;
  // A line that wraps could not be rewritten.
  const std::string line = absl::StrCat(Bar(progress), " ", Text(progress));
  return absl::StrCat(text, kEraseLine, line.substr(0, static_cast<size_t>(std::max(0, width_ - 1))));
}

std::string TrainingView::End() {
  std::string text = Clear();
  if (last_) absl::StrAppend(&text, Text(*last_), "\n");
  last_.reset();
  return text;
}

}  // namespace espalier::client
