// The root of a box: certified intermediate bounds, then the output rows of all open targets together; and
// roots of single targets, with bounds that hold only where the target can be unsafe.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/domain_batch.h"

namespace espalier::search {

struct RootResult {
  SharedRoot root;
  std::vector<Domain> open;  // one start domain per target that is left
};

// Bounds targets (all of box `box`) over CROWN's intermediate bounds: refutes what one certified row refutes,
// keeps start domains of the rest with the weights of their best row.
absl::StatusOr<RootResult> BoundRoot(Run& run, int32_t box, const std::vector<size_t>& targets);

// The same for the open targets of `from` once the intermediate bounds' slopes have been optimised, too.
absl::StatusOr<RootResult> RefineRoot(Run& run, RootResult from);

// A root for one open domain of `from` alone: its intermediate bounds hold where the domain's margin can be
// negative (bounds/half_space.h), in a few rounds as long as the margin's bound improves. nullopt: refuted.
// Where that technique does not apply, a copy of what came in.
absl::StatusOr<std::optional<RootResult>> ConditionRoot(Run& run, const RootResult& from,
                                                        const Domain& domain);

}  // namespace espalier::search
