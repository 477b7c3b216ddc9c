// Domain: one subproblem of the ReLU branch and bound, and the queue of open ones.
//
// A domain belongs to one target and keeps only what its parent cannot give back: the split history (without
// duplicates, only of unstable neurons), the lower bound, the free slopes quantised to bytes, the weights
// that combine the target's rows, and the best candidates for the next split. Bounds of a child are contained
// in its parent's.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"

namespace espalier::search {

// More open domains than this take long enough to free that nobody should wait for it.
inline constexpr int64_t kManyDomains = 1000;

struct Split {
  int16_t layer = 0;     // activation index
  int8_t sign = 1;       // +1: x >= 0, -1: x <= 0
  int32_t unstable = 0;  // index into the layer's unstable neurons
  float beta = 0;        // multiplier
};

// Of a candidate that is an input instead of a neuron: `unstable` is its number. Only roots of parts are
// halved there (part_root.h).
inline constexpr int16_t kInputLayer = -1;

struct Candidate {
  int16_t layer = 0;
  int32_t unstable = 0;
  float score = 0;
};

struct Domain {
  int32_t target = 0;
  double bound = 0;  // margin; > 0 (certified) refutes
  std::vector<Split> splits;
  std::vector<uint8_t> slopes;        // all layers' unstable neurons in order; empty: adaptive start
  std::vector<double> weights;        // of the target's rows
  std::vector<Candidate> candidates;  // best first
  std::vector<float> corner;  // input corner that attains the bound; kept only while it may be attacked
  bool restored = false;  // from a checkpoint: its bound is hearsay, and has to be made again before a split

  int64_t Bytes() const {
    return static_cast<int64_t>(sizeof(Domain) + splits.capacity() * sizeof(Split) + slopes.capacity() +
                                weights.capacity() * sizeof(double) +
                                candidates.capacity() * sizeof(Candidate) +
                                corner.capacity() * sizeof(float) + 64);
  }
};

// Without what only makes bounds: target, bound and splits.
Domain Stripped(const Domain& domain);

// Open domains ordered by bound. Worst (lowest) first; once `budget` bytes are reached, best first, which
// goes deep and frees memory instead of dying.
class DomainQueue {
 public:
  explicit DomainQueue(int64_t budget_bytes) : budget_(budget_bytes) {}
  DomainQueue(const DomainQueue&) = delete;
  DomainQueue& operator=(const DomainQueue&) = delete;
  ~DomainQueue();  // at once: many domains are freed behind

  void Push(Domain domain);
  // Takes up to `count` domains.
  std::vector<Domain> Pop(int64_t count);
  bool empty() const { return open_.empty(); }
  int64_t size() const { return static_cast<int64_t>(open_.size()); }
  double WorstBound() const { return open_.begin()->first; }
  int64_t bytes() const { return bytes_; }
  // visit(domain) for each of them, worst first.
  template <class Visit>
  void ForEach(Visit visit) const {
    for (const auto& [bound, domain] : open_) visit(*domain);
  }

 private:
  // Bounds lie side by side: with a million domains, each step down a tree of nodes is a cache miss.
  absl::btree_multimap<double, std::unique_ptr<Domain>> open_;
  int64_t bytes_ = 0;
  int64_t budget_;
};

}  // namespace espalier::search
