// Progress of a batch on stderr. On a terminal: a line for every instance that ended, and below them a block
// that is rewritten, with a bar, the counts, and what runs. Elsewhere the lines only.
//
//   BatchView view(ProgressView::StyleOf(STDERR_FILENO), ProgressView::WidthOf(STDERR_FILENO), total);
//   view.Start(slot, "net prop_1", "private", seconds);
//   std::fputs(view.Finish(slot, record, seconds).c_str(), stderr);
//   std::fputs(view.Draw(seconds).c_str(), stderr);
//
// `seconds`: since the batch began. Not thread-safe.
#pragma once

#include <map>
#include <string>

#include "client/batch/record.h"
#include "client/progress_view.h"
#include "espalier/v1/verify.pb.h"

namespace espalier::client {

// How many instances ended how.
struct ResultCounts {
  int64_t sat = 0, unsat = 0, unknown = 0, timeout = 0, error = 0;
  int64_t total() const { return sat + unsat + unknown + timeout + error; }
  int64_t solved() const { return sat + unsat; }
  void Add(const InstanceRecord& record);
};

// "12 sat, 30 unsat, 1 timeout"; "nothing" when all are 0.
std::string CountsText(const ResultCounts& counts);

// "42 s", "3 min 20 s", "2 h 05 min".
std::string DurationText(double seconds);

class BatchView {
 public:
  BatchView(ProgressView::Style style, int width, int64_t total)
      : style_(style), width_(width), total_(total) {}

  // An instance that an earlier run has finished.
  void Known(const InstanceRecord& record);

  void Start(size_t slot, const std::string& name, const std::string& server, double seconds);
  void Progress(size_t slot, const v1::Progress& progress);
  void GiveBack(size_t slot) { running_.erase(slot); }

  // What to write now; empty when nothing is due.
  std::string Finish(size_t slot, const InstanceRecord& record);
  std::string Message(const std::string& text);
  std::string Draw(double seconds);
  // Removes the block.
  std::string Clear();

  const ResultCounts& counts() const { return counts_; }

 private:
  struct Running {
    std::string name, server;
    double started = 0;
    std::string state;
  };
  std::string Line(const std::string& text) const;  // cut to the terminal's width, with its end
  std::string Head(double seconds) const;

  const ProgressView::Style style_;
  const int width_;
  const int64_t total_;
  int64_t known_ = 0;
  ResultCounts counts_;
  std::map<size_t, Running> running_;  // by slot
  int drawn_ = 0;                      // lines of the block on the terminal
};

}  // namespace espalier::client
