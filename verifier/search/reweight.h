// Row weights of conjunctions in the ReLU branch and bound.
//
// A domain bounds one combination of its target's rows. After its slopes were optimised for the present
// weights, every row is bounded once more with the same slopes; the best combination of their affine bounds
// over the input box gives the weights from which the domain's children go on (alternating between slopes and
// weights).
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "verifier/search/domain_batch.h"

namespace espalier::search {

// Updates weights and bounds of the domains whose target has several rows and whose bound is not positive
// yet.
absl::Status Reweight(Run& run, SharedRoot& root, std::vector<Domain>& domains);

}  // namespace espalier::search
