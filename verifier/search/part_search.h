// Branch and bound over a tree of roots, for one target or several.
//
// Ordinary branch and bound (relu_bab.h) goes on below one root and keeps its intermediate bounds: fast, and
// blind to what a split does to the bounds of later neurons. Where that would take too long, the root is
// split at one neuron, or halved at one input, into two *parts* with bounds of their own (part_root.h), and
// each is searched in its turn, or split again. Which of the two pays is estimated for each part, from what a
// short search of it and its two halves have gained:
//
//   domains below a root: n · 2^(-bound / s), s: what the last doubling of the domains has lifted the bound
//   roots below a pair: N at m = -bound, where N(m) = N(m - g1) + N(m - g2) and N = 1 for m <= 0
//
// (the branching number of the halves' gains g1 and g2; Le Bodic and Nemhauser, Math. Programming 166, 2017).
//
// It is chosen by trying: the most promising neurons of each layer and inputs (tightening.h) are halved,
// those first that what their layer has gained so far speaks for (split_experience.h), as long as what is
// spent on trials stays below what they can save.
//
// A root costs about as much as half a domain per unstable neuron. Decisions count domains, never seconds.
//
//   PartSearch search(run, shared, domains, /*share=*/1.0);
//   ESPALIER_ASSIGN_OR_RETURN(SearchEnd end, search.Turn(1000));  // kBudget: not done yet
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/divide_rule.h"
#include "verifier/search/part_root.h"
#include "verifier/search/relu_bab.h"
#include "verifier/search/root.h"
#include "verifier/search/split_experience.h"
#include "verifier/search/split_ratings.h"

namespace espalier::search {

class PartSearch {
 public:
  // `shared`: the root of the whole box; outlives this. `starts`: open domains there, one per target.
  // `share`: of the memory for open domains.
  PartSearch(Run& run, RootResult& shared, std::vector<Domain> starts, double share,
             const DivideRule& rule = {});
  // What an earlier run left of a target; before the first turn.
  void Restore(int32_t target, SplitParts parts) { left_[target] = std::move(parts); }

  // Makes the first root, unless it has been made: the first turn does so otherwise. Two searches may do it
  // at once (backend::Backend::Both).
  absl::Status Prepare();
  bool prepared() const { return begun_ || prepared_ != nullptr; }
  // Goes on for about `domains` domains (0: to the end), roots of parts counted as domains. kExhausted: all
  // targets are refuted. kNumerical: they are not, and some leaf cannot be decided.
  absl::StatusOr<SearchEnd> Turn(int64_t domains);
  // How often its root was made sharper.
  int sharpened() const { return sharpened_; }
  // Once it has ended, or will not go on: has the shared root take over bounds that were made sharper for all
  // targets.
  void GiveSharper();
  // Whether roots of parts were found worth their time.
  bool divided() const { return divided_; }
  // Whether they can be made for this network; after the first turn.
  bool divisible() const { return divisible_; }
  // What is open, of targets whose search has begun.
  void Save(std::map<int32_t, SplitParts>& open) const;

 private:
  struct Part;
  // The two sides of a neuron, without what is refuted there.
  struct Halves {
    std::vector<Part> parts;
    // About how many roots there will be below them, in log2.
    double log_roots = std::numeric_limits<double>::infinity();
    bool of_input = false;
  };
  // Neurons at which a part was halved to see what that gains.
  struct Trials {
    bool begun = false;
    std::vector<Candidate> left;  // not tried yet
    int64_t made = 0;
    Halves best;  // those that need the fewest roots
  };
  struct Part {
    std::unique_ptr<PartRoot> root;
    std::unique_ptr<SharedRoot> over_box;  // where leaves need bounds that hold on all of its box
    std::unique_ptr<ReluBab> bab;          // null: not begun
    double bound = 0;                      // the worst at the root
    int64_t domains = 0;                   // spent
    int64_t next = 0;                      // domains after which its progress is looked at
    int64_t domains_before = 1;            // when it was looked at last
    double bound_before = 0;               // the worst then
    Trials trials;
    int sharpened = 0;          // how often, its rows split more often each time
    bool sharp_enough = false;  // once more does not pay
  };

  absl::StatusOr<SearchEnd> Begin();
  Part PartOf(std::unique_ptr<PartRoot> root) const;
  absl::Status TakeStep(int64_t domains, SearchEnd& end);
  absl::StatusOr<SearchEnd> SearchPart(Part& part, int64_t domains);
  absl::StatusOr<SearchEnd> SearchOverBox(Part& part);
  double LogDomainsLeft(const Part& part, double lift) const;
  absl::Status LookAtProgress(Part& part);
  // log2 of the domains that a search has to seem to need before the part is made sharper.
  double LeastToSharpen() const;
  // Bounds of all layers with cuts, rows split more often each time. True: they have taken the part's place.
  absl::StatusOr<bool> Sharpen(Part& part);
  double MostTrials(const Part& part, double log_advantage) const;
  // `log_advantage`: log2 of how many trials the search seems to be worth.
  absl::Status TryHalves(Part& part, double log_advantage);
  absl::StatusOr<Halves> HalveAt(const Part& part, const std::vector<Domain>& open, const Candidate& split);
  void Divide();
  std::vector<Domain> StillOpen(const Part& part) const;
  void Finish(SearchEnd end);
  // Parts' origins, each for a target: they stand for all parts that have them.
  using SavedOrigins = std::set<std::pair<const void*, int32_t>>;
  // What is open of a part, less what `saved` stands for.
  void SavePart(const Part& part, SavedOrigins& saved, std::map<int32_t, SplitParts>& open) const;

  Run& run_;
  RootResult& shared_;
  std::vector<Domain> starts_;
  const double share_;
  const DivideRule rule_;
  std::map<int32_t, SplitParts> left_;  // of an earlier run, not taken up yet
  std::unique_ptr<PartRoot> prepared_;
  bool begun_ = false, divided_ = false, divisible_ = false;
  int sharpened_ = 0;  // how often its root was
  SplitExperience experience_;
  SplitRatings ratings_;                     // the searches of parts_ share it
  std::vector<Part> parts_;                  // the last one is searched
  std::map<int32_t, SplitParts> undecided_;  // leaves that cannot be decided
  int64_t spent_ = 0;                        // domains, roots of parts counted as such
};

}  // namespace espalier::search
