#include "verifier/backend/backend.h"

#include "verifier/backend/compact.h"
#include "verifier/backend/compact_certifier.h"

namespace espalier::backend {

absl::StatusOr<std::unique_ptr<CompactBounder>> Backend::MakeCompact(CompactNetwork) {
  return absl::UnimplementedError("this device has no compact bounds");
}

absl::StatusOr<std::unique_ptr<CompactCertifier>> Backend::MakeCompactCertifier(CompactNetwork) {
  return absl::UnimplementedError("this device has no compact certificates");
}

}  // namespace espalier::backend
