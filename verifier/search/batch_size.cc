#include "verifier/search/batch_size.h"

#include <algorithm>

namespace espalier::search {
namespace {

constexpr int64_t kBatchesOfATrial = 3;
constexpr int64_t kBatchesBetweenTrials = 100;  // domains deeper in the tree may take another size
constexpr double kWorthwhile = 1.1;             // rate of twice the size, relative
constexpr double kAsGood = 0.97;                // rate of half the size, relative

}  // namespace

BatchSize::BatchSize(Range range)
    : least_(range.least), most_(range.most), settled_(range.start), size_(range.start) {}

void BatchSize::Try(Phase phase, int64_t size) {
  phase_ = phase;
  size_ = size;
  batches_ = 0;
  rate_ = 0;
}

void BatchSize::Halve(int64_t domains) {
  most_ = settled_ = std::max<int64_t>(1, domains / 2);
  least_ = std::min(least_, most_);
  Try(Phase::kRest, settled_);
}

void BatchSize::Took(int64_t domains, double seconds) {
  if (!(seconds > 0) || domains != size_) return;
  // The best of several: what else goes on makes a batch slower, never faster.
  rate_ = std::max(rate_, static_cast<double>(domains) / seconds);
  if (++batches_ >= (phase_ == Phase::kRest ? kBatchesBetweenTrials : kBatchesOfATrial)) Judge();
}

void BatchSize::Judge() {
  const Phase ended = phase_;
  if (ended == Phase::kRest) {
    grew_ = false;
    return Try(Phase::kMeasure, settled_);
  }
  const bool better =
      ended == Phase::kMeasure || rate_ > settled_rate_ * (ended == Phase::kLarger ? kWorthwhile : kAsGood);
  if (better) {
    settled_ = size_;
    settled_rate_ = rate_;
    grew_ = grew_ || ended == Phase::kLarger;
  }
  const bool up = ended == Phase::kMeasure || (ended == Phase::kLarger && better);
  const bool down = !grew_ && (ended != Phase::kSmaller || better);
  if (up && 2 * settled_ <= most_) return Try(Phase::kLarger, 2 * settled_);
  if (down && settled_ / 2 >= least_) return Try(Phase::kSmaller, settled_ / 2);
  Try(Phase::kRest, settled_);
}

}  // namespace espalier::search
