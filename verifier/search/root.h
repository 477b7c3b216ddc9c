// The root of a box: certified intermediate bounds, then the output rows of all open targets together.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/domain_batch.h"

namespace espalier::search {

struct RootResult {
  SharedRoot root;
  std::vector<Domain> open;  // one start domain per target that is left
};

// Bounds targets (all of box `box`): refutes what one certified row refutes, keeps start domains of the rest
// with their optimised slopes and the weights of their best row. `intermediate_iterations` as in
// bounds::IntermediateSettings.
absl::StatusOr<RootResult> BoundRoot(Run& run, int32_t box, const std::vector<size_t>& targets,
                                     int64_t intermediate_iterations);

}  // namespace espalier::search
