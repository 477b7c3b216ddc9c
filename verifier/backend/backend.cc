#include "verifier/backend/backend.h"

#include "verifier/backend/compact.h"

namespace espalier::backend {

absl::StatusOr<std::unique_ptr<CompactBounder>> Backend::MakeCompact(CompactNetwork) {
  return absl::UnimplementedError("this device has no compact bounds");
}

}  // namespace espalier::backend
