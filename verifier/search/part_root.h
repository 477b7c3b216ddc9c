// A root of a part of a box: intermediate bounds that hold on the sides of a few neurons, and the bounds of
// open targets there.
//
// For one target alone they need hold only where its margin can be negative as well (bounds/half_space.h).
// What is derived here is valid on the part's sides, and for that one target; nothing else may use it.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto part, MakePartRoot(run, root, {MakeChild(domain, split, +1)},
//   /*rounds=*/1)); if (part->open.empty()) ...  // every target is refuted on that side
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/refine.h"
#include "verifier/search/domain_batch.h"
#include "verifier/search/domain_bounder.h"

namespace espalier::search {

// Not to be moved: the bounder refers to the root.
struct PartRoot {
  SharedRoot root;
  std::unique_ptr<DomainBounder> bounder;
  // One domain per target that is open, all with the part's sides as splits; certified bounds, and many
  // candidates.
  std::vector<Domain> open;

  double WorstBound() const;
};

// A part of `from` for `domains`: all on the same sides, of different targets. Bounds are refined under the
// sides; for a single domain in at most `rounds` rounds, each from the last one's half-space, as long as its
// bound improves enough for a dozen more to refute it. Without sides and for several targets `from` stays as
// it is, and so it does (with the sides taken over) where refining is not made for the network.
absl::StatusOr<std::unique_ptr<PartRoot>> MakePartRoot(Run& run, const SharedRoot& from,
                                                       std::vector<Domain> domains, int rounds);

std::vector<bounds::NeuronSide> SidesOf(const SharedRoot& root, const Domain& domain);

}  // namespace espalier::search
