// How many domains a search bounds together: as many as memory has room for, and where the device has a clock
// (backend::Backend::Lap), as many as it makes the most of.
//
//   BatchSize batch({.least = 128, .start = 1024, .most = 8192});
//   bound batch.size() domains;
//   batch.Took(batch.size(), seconds);     // or, without memory for them: batch.Halve(domains)
//
// Larger batches make a device faster up to a point, and the search worse: it works on domains that the
// outcome of others would have made needless. So a batch is doubled while that gains a tenth of the rate, and
// halved while it costs next to nothing. Without a clock the size changes for memory only, and a run depends
// on nothing but its work.
#pragma once

#include <cstdint>

namespace espalier::search {

class BatchSize {
 public:
  struct Range {
    int64_t least = 1, start = 1, most = 1;  // least and most: that measurements may lead to
  };
  BatchSize() : BatchSize(Range{}) {}
  explicit BatchSize(Range range);

  int64_t size() const { return size_; }
  // A batch of so many domains did not fit in memory: half of that from now on, and never more.
  void Halve(int64_t domains);
  // Batches that were not full tell nothing, nor does a time of 0.
  void Took(int64_t domains, double seconds);

 private:
  enum class Phase { kMeasure, kLarger, kSmaller, kRest };
  void Try(Phase phase, int64_t size);
  void Judge();

  int64_t least_, most_;
  int64_t settled_;  // the best size known
  int64_t size_;     // the one in use
  Phase phase_ = Phase::kMeasure;
  bool grew_ = false;  // in this round of trials
  int64_t batches_ = 0;
  double rate_ = 0, settled_rate_ = 0;  // domains a second: of the size in use, of the settled one
};

}  // namespace espalier::search
