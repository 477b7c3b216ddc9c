#include "verifier/backend/backend.h"

#include "verifier/backend/compact.h"
#include "verifier/backend/compact_certifier.h"
#include "verifier/base/status.h"

namespace espalier::backend {

absl::StatusOr<std::unique_ptr<CompactBounder>> Backend::MakeCompact(const CompactNetwork&) {
  return absl::UnimplementedError("this device has no compact bounds");
}

absl::Status Backend::Both(absl::FunctionRef<absl::Status()> first,
                           absl::FunctionRef<absl::Status()> second) {
  ESPALIER_RETURN_IF_ERROR(first());
  return second();
}

absl::Status CompactBounder::Try(absl::Span<CompactTrial> trials) {
  std::vector<CompactDomain> domains;
  domains.reserve(trials.size());
  for (const CompactTrial& trial : trials) {
    domains.push_back(*trial.domain);
    domains.back().splits.push_back(trial.split);
  }
  ESPALIER_RETURN_IF_ERROR(Bound(absl::MakeSpan(domains), {.iterations = 1}));
  for (size_t t = 0; t < trials.size(); ++t) trials[t].bound = domains[t].bound;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CompactCertifier>> Backend::MakeCompactCertifier(const CompactNetwork&) {
  return absl::UnimplementedError("this device has no compact certificates");
}

}  // namespace espalier::backend
