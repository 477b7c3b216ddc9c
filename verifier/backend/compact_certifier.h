// Lower bounds of domains in double on the network that is left below a root, with how far off they may be:
// what branch and bound closes domains with.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto certifier, backend.MakeCompactCertifier(network));
//   CompactClaim claim{.output = weights, .offset = -rhs, .slopes = domain.slopes, .splits = splits};
//   ESPALIER_RETURN_IF_ERROR(certifier->Bound(absl::MakeSpan(&claim, 1)));
//   if (bounds::Proved(claim, offset_error) > 0) ...  // no point of the domain violates the margin
//
// One backward pass with the slopes and multipliers given, whoever found them: any are valid.
// docs/soundness.md, section 3.8, derives `scale`.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "verifier/backend/compact.h"

namespace espalier::backend {

struct CompactClaim {
  absl::Span<const double> output;  // [outputs] coefficients of the margin; when empty:
  int32_t unit = 0;                 // sign times row `unit` of the start stage
  double sign = 1;
  const double* input = nullptr;  // [inputs] coefficients added at the input; null: none
  double offset = 0;
  absl::Span<const uint8_t> slopes;       // as CompactDomain::start
  absl::Span<const float> exact_slopes;   // of the neurons before the start stage; not empty: instead of them
  absl::Span<const CompactSplit> splits;  // at most one per neuron; negative multipliers count as zero
  double bound = 0;          // out: the margin's lower bound where the splits hold, but for rounding
  double* lambda = nullptr;  // out: [inputs] the bound's coefficients at the input; null: not wanted
  double scale = 0;          // out: it is off by at most this many unit roundoffs of double, to first order
};

class CompactCertifier {
 public:
  virtual ~CompactCertifier() = default;
  // `start_stage` as in CompactSettings. CANCELLED when the backend's stop token fires; nothing is proved
  // then.
  virtual absl::Status Bound(absl::Span<CompactClaim> claims, int32_t start_stage = -1) = 0;
  // As CompactBounder::SetLines; what is proved is proved for these.
  virtual void SetLines(int32_t first, const CompactLines& lines) = 0;
};

}  // namespace espalier::backend
