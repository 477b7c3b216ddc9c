#include "client/batch/batch_view.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace espalier::client {
namespace {

constexpr int kBarWidth = 24;
constexpr size_t kMostRows = 10;       // of running instances
constexpr int64_t kEnoughToGuess = 5;  // finished instances before the time left is worth saying

std::string Bar(int64_t done, int64_t total) {
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  const auto filled = static_cast<size_t>(std::clamp(std::floor(share * kBarWidth), 0.0, double{kBarWidth}));
  return absl::StrCat("[", std::string(filled, '#'), std::string(kBarWidth - filled, '.'), "]");
}

}  // namespace

void ResultCounts::Add(const InstanceRecord& record) {
  int64_t& count = record.result == "sat"       ? sat
                   : record.result == "unsat"   ? unsat
                   : record.result == "unknown" ? unknown
                   : record.result == "timeout" ? timeout
                                                : error;
  ++count;
}

std::string CountsText(const ResultCounts& counts) {
  std::vector<std::string> parts;
  for (const auto& [name, count] :
       {std::pair("sat", counts.sat), std::pair("unsat", counts.unsat), std::pair("unknown", counts.unknown),
        std::pair("timeout", counts.timeout), std::pair("error", counts.error)}) {
    if (count > 0) parts.push_back(absl::StrCat(count, " ", name));
  }
  return parts.empty() ? "nothing" : absl::StrJoin(parts, ", ");
}

std::string DurationText(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return absl::StrCat(whole, " s");
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole / 60 % 60);
}

void BatchView::Known(const InstanceRecord& record) {
  counts_.Add(record);
  ++known_;
}

void BatchView::Start(size_t slot, const std::string& name, const std::string& server, double seconds) {
  running_[slot] = {.name = name, .server = server, .started = seconds, .state = ""};
}

void BatchView::Progress(size_t slot, const v1::Progress& progress) {
  running_[slot].state =
      absl::StrFormat("%s, bound %.4g, %d open", progress.phase(), progress.bound(), progress.open());
}

std::string BatchView::Finish(size_t slot, const InstanceRecord& record) {
  running_.erase(slot);
  counts_.Add(record);
  if (style_ == ProgressView::Style::kQuiet) return "";
  const std::string total = absl::StrCat(total_);
  std::string text =
      absl::StrFormat("[%*d/%s] %-8s%9.3f s  %s %s", static_cast<int>(total.size()), counts_.total(), total,
                      record.result, record.seconds, Stem(record.model), Stem(record.query));
  if (!record.cause.empty()) absl::StrAppend(&text, ": ", record.cause);
  if (record.result == "error") absl::StrAppend(&text, " (", record.reason, ")");
  return absl::StrCat(Clear(), text, "\n");
}

std::string BatchView::Message(const std::string& text) {
  return style_ == ProgressView::Style::kQuiet ? "" : absl::StrCat(Clear(), text, "\n");
}

std::string BatchView::Line(const std::string& text) const {
  return absl::StrCat(text.substr(0, static_cast<size_t>(std::max(0, width_ - 1))), "\n");
}

std::string BatchView::Head(double seconds) const {
  const int64_t done = counts_.total(), now = done - known_;
  std::string text = absl::StrFormat("%s %d/%d  %s  %s", Bar(done, total_), done, total_, CountsText(counts_),
                                     DurationText(seconds));
  if (now >= kEnoughToGuess && done < total_) {
    const double left = seconds / static_cast<double>(now) * static_cast<double>(total_ - done);
    absl::StrAppend(&text, ", about ", DurationText(left), " left");
  }
  return text;
}

std::string BatchView::Draw(double seconds) {
  if (style_ != ProgressView::Style::kTerminal) return "";
  std::string text = Clear() + Line(Head(seconds));
  drawn_ = 1;
  for (const auto& [slot, running] : running_) {
    if (static_cast<size_t>(drawn_) > kMostRows) {
      text += Line(absl::StrFormat("  and %d more", running_.size() - kMostRows));
      ++drawn_;
      break;
    }
    std::string row = absl::StrFormat("  %7.1f s  %-40s", seconds - running.started, running.name);
    if (running.server != "private") absl::StrAppend(&row, "  ", running.server);
    if (!running.state.empty()) absl::StrAppend(&row, "  ", running.state);
    text += Line(row);
    ++drawn_;
  }
  return text;
}

std::string BatchView::Clear() {
  if (drawn_ == 0) return "";
  return absl::StrFormat("\x1b[%dA\r\x1b[J", std::exchange(drawn_, 0));
}

}  // namespace espalier::client
