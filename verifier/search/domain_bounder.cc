#include "verifier/search/domain_bounder.h"

#include "verifier/base/status.h"
#include "verifier/bounds/compact.h"
#include "verifier/bounds/refine.h"
#include "verifier/search/batched_bounder.h"
#include "verifier/search/compact_bounder.h"

namespace espalier::search {

Domain MakeChild(Domain&& parent, const Candidate& candidate, int8_t sign) {
  Domain child;
  child.target = parent.target;
  child.bound = parent.bound;
  child.splits = std::move(parent.splits);
  child.splits.push_back({candidate.layer, sign, candidate.unstable, 0.0f});
  child.slopes = std::move(parent.slopes);
  child.weights = std::move(parent.weights);
  return child;
}

Domain MakeChild(const Domain& parent, const Candidate& candidate, int8_t sign) {
  Domain copy;
  copy.target = parent.target;
  copy.bound = parent.bound;
  copy.splits.reserve(parent.splits.size() + 1);
  copy.splits.assign(parent.splits.begin(), parent.splits.end());
  copy.slopes = parent.slopes;
  copy.weights = parent.weights;
  return MakeChild(std::move(copy), candidate, sign);
}

absl::StatusOr<bool> DomainBounder::Cut(std::vector<Domain>&) {
  return false;
}

absl::StatusOr<std::unique_ptr<DomainBounder>> DomainBounder::Make(Run& run, SharedRoot& root,
                                                                   const SharedRoot* from) {
  std::optional<bounds::LeftNetwork> left =
      bounds::MakeLeftNetwork(run.plan, root.bounds.boxes, root.bounds.layers, root.relaxation64,
                              from != nullptr ? from->left.get() : nullptr);
  if (left.has_value()) {
    absl::StatusOr<std::unique_ptr<backend::CompactBounder>> device =
        run.plan.backend().MakeCompact(left->network);
    if (device.ok()) {
      root.left = std::make_shared<const bounds::LeftNetwork>(*std::move(left));
      return std::unique_ptr<DomainBounder>(
          std::make_unique<CompactDomainBounder>(run, root, *std::move(device)));
    }
    if (!bounds::DoWithout(device.status())) return device.status();
    if (absl::IsResourceExhausted(device.status())) run.plan.backend().NoteShortage(bounds::kListingRefused);
  }
  return std::unique_ptr<DomainBounder>(std::make_unique<BatchedDomainBounder>(run, root));
}

}  // namespace espalier::search
