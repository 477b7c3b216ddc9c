// Branch and bound over ReLU splits (β-CROWN, Wang et al. 2021): best-first, in batches, one box.
//
// Works on targets whose box is the root's. Each open target gets one root domain; refuted subtrees are
// certified in float64 before they are closed; a target whose domains are all closed is refuted. A domain
// with nothing left to split goes to the leaf LP.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/domain_bounder.h"
#include "verifier/search/frontier.h"
#include "verifier/search/problem.h"
#include "verifier/search/split_ratings.h"

namespace espalier::search {

enum class SearchEnd { kExhausted, kWitness, kStopped, kMemory, kDomainLimit, kBudget, kNumerical };

class ReluBab {
 public:
  struct Of {
    double share = 1.0;  // of the memory for open domains
    // The domains are part of a target only: that all are closed refutes nothing.
    bool part = false;
    std::unique_ptr<DomainBounder> bounder;  // over `root`; null: made when it is needed
  };
  // `ratings`: of the same network; several searches may learn from each other, one after the other.
  ReluBab(Run& run, SharedRoot& root, SplitRatings& ratings, Of of);
  ReluBab(Run& run, SharedRoot& root, SplitRatings& ratings) : ReluBab(run, root, ratings, Of{}) {}

  // `starts`: one root domain per open target, with its slopes and weights. kBudget after about `budget`
  // domains (0: none).
  absl::StatusOr<SearchEnd> Search(std::vector<Domain> starts, int64_t budget = 0);
  // Goes on after kBudget (0: to the end).
  absl::StatusOr<SearchEnd> Resume(int64_t budget);
  // Adds domains of start.target that an earlier run left open; before Search, which then gets no start
  // domain of that target. What the root's bounds make of the sides that a domain is on: redundant ones go, a
  // domain on a side that does not exist is empty. A target without a domain left is refuted, a part of one
  // is exhausted.
  void Restore(const SplitParts& parts, const Domain& start);
  // Everything of open targets that is not refuted, by target: queued, being bounded, given up.
  void Save(std::map<int32_t, SplitParts>& open) const;
  // The lowest bound of the open domains; there is one after kBudget.
  double WorstBound() const { return queue_.WorstBound(); }
  // Whether domains of the target are open, given up ones included.
  bool IsOpen(int32_t target) const { return open_of_target_[static_cast<size_t>(target)] > 0; }

 private:
  absl::StatusOr<SearchEnd> Loop();
  void SetBudget(int64_t domains);
  // Bounds the domains, certifies and drops what is refuted, queues the rest.
  absl::StatusOr<bool> BoundAndQueue(std::vector<Domain> domains);
  absl::Status Optimise(std::vector<Domain>& domains);
  absl::Status OptimiseInMemory(std::vector<Domain>& domains);
  absl::Status CloseRefuted(std::vector<Domain>& domains);
  absl::StatusOr<std::vector<Domain>> SplitAll(std::vector<Domain> parents, bool& witness);
  void Close(int32_t target);
  // From now on `domains`, in this order, are what is neither queued nor closed.
  void SetInFlight(const std::vector<Domain>& domains);
  // Takes restored domains out of `popped`, ready to be bounded.
  static std::vector<Domain> TakeRestored(std::vector<Domain>& popped);

  Run& run_;
  SharedRoot& root_;
  SplitRatings& ratings_;
  const bool part_;
  DomainQueue queue_;
  std::unique_ptr<DomainBounder> bounder_;
  std::vector<int64_t> open_of_target_;
  int64_t closed_ = 0;
  int64_t budget_end_ = std::numeric_limits<int64_t>::max();  // in domains of the whole run
  int64_t rounds_ = 0;
  std::vector<Domain>
      in_flight_;       // target, bound and splits only; never made smaller, its lists are used again
  size_t flying_ = 0;   // how many of them count
  size_t settled_ = 0;  // and of these are queued or closed
  std::vector<Domain> given_up_;  // leaves that neither the LP nor its multipliers could decide; the same
};

// Adds the sides that a domain of `root` is on to `parts`.
void AppendTo(const Run& run, const SharedRoot& root, const Domain& domain, SplitParts& parts);

}  // namespace espalier::search
