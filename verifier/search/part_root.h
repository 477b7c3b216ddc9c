// A root of a part of a box: intermediate bounds that hold on the sides of a few neurons and in the halves of
// a few inputs' intervals, and the bounds of open targets there.
//
// For one target alone they need hold only where its margin can be negative as well (bounds/half_space.h).
// What is derived here is valid on the part's sides, and for that one target; nothing else may use it.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto part, MakePartRoot(run, root, {domain}, /*rounds=*/1));
//   ESPALIER_ASSIGN_OR_RETURN(auto halves, MakeHalves(run, *part, part->open, split));
//   if (halves[0]->open.empty()) ...  // every target is refuted on that side
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/half_space.h"
#include "verifier/bounds/refine.h"
#include "verifier/search/domain_batch.h"
#include "verifier/search/domain_bounder.h"
#include "verifier/search/frontier.h"
#include "verifier/search/root.h"

namespace espalier::search {

// Whether cuts (bounds/cuts.h) were worth their work below the first root; where they were not, they are not
// tried in halves of it.
enum class Cuts { kUntried, kUsed, kNone };

// Not to be moved: the bounder refers to the root.
struct PartRoot {
  SharedRoot root;
  std::unique_ptr<DomainBounder> bounder;
  // One domain per target that is open, all with the part's sides as splits; certified bounds, and many
  // candidates.
  std::vector<Domain> open;
  // Where the margin of the only target can be negative; none when there are several.
  std::optional<bounds::HalfSpace> plane;
  bounds::RefineMemory memory;  // of its bounds; empty: they were not refined
  Cuts cuts = Cuts::kUntried;
  // Where cuts that serve the bounds of its layers are low; null: they are made without cuts.
  std::shared_ptr<const bounds::CutPoints> points;
  // Whether its bounds hold on all of the root's box, for all targets.
  bool everywhere = false;
  // Where the box is not the whole one: what the part was, per target, when it last was.
  std::shared_ptr<const std::map<int32_t, SplitParts>> origin;

  double WorstBound() const;
};

// The part of `from` without sides, for `domains`, of different targets. For a single one, bounds are refined
// in at most `rounds` rounds, each from the last one's half-space, as long as its bound improves enough for a
// dozen more to refute it. For several `from` stays as it is, and so it does where refining is not made for
// the network.
absl::StatusOr<std::unique_ptr<PartRoot>> MakePartRoot(Run& run, const RootResult& from,
                                                       std::vector<Domain> domains, int rounds);

// The halves of `parent` on either side (+1, -1) of `split`, for children of the domains `open`, both at the
// same time where the device can (Backend::Both): a half bounds few rows at once. Bounds of what is behind
// the split neuron, or input, are refined there, from the parent's slopes; where that is not made for the
// network, the side or half is taken over only.
absl::StatusOr<std::vector<std::unique_ptr<PartRoot>>> MakeHalves(Run& run, const PartRoot& parent,
                                                                  const std::vector<Domain>& open,
                                                                  const Candidate& split);

// The same part with bounds of all its layers refined once more, with cuts and rows split as `splits` says,
// for the domains `open` of its open ones, then in rounds as for MakePartRoot. Halves of it are made with
// cuts too. Without points where that is not made for the network or the device.
absl::StatusOr<std::unique_ptr<PartRoot>> MakeSharper(Run& run, const PartRoot& part,
                                                      std::vector<Domain> open, int rounds,
                                                      const bounds::RowSplits& splits);

std::vector<bounds::NeuronSide> SidesOf(const SharedRoot& root, const Domain& domain);

}  // namespace espalier::search
