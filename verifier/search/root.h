// The root of a box: certified intermediate bounds, then the output rows of all open targets together.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/cut_points.h"
#include "verifier/bounds/refine.h"
#include "verifier/search/domain_batch.h"

namespace espalier::search {

struct RootResult {
  SharedRoot root;
  std::vector<Domain> open;      // one start domain per target that is left
  bool sharpening_paid = false;  // in a search below it (part_search.h)
  // Of bounds that a search of all targets has made sharper: how often, and what it has kept of that.
  int sharpened = 0;
  bounds::RefineMemory memory;
  std::shared_ptr<const bounds::CutPoints> points;
};

// The same on intermediate bounds that are quickly made, a little looser than BoundRoot's where the network
// is large; enough for most of what a root can refute, and to refine from.
absl::StatusOr<RootResult> BoundRootQuickly(Run& run, int32_t box, const std::vector<size_t>& targets);

// Bounds targets (all of box `box`) over CROWN's intermediate bounds: refutes what one certified row refutes,
// keeps start domains of the rest with the weights of their best row.
absl::StatusOr<RootResult> BoundRoot(Run& run, int32_t box, const std::vector<size_t>& targets);

// The same for the open targets of `from` once the intermediate bounds' slopes have been optimised, too.
absl::StatusOr<RootResult> RefineRoot(Run& run, RootResult from);

}  // namespace espalier::search
