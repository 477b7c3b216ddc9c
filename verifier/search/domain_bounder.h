// Bounds of domains below one root: what branch and bound spends its time on.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto bounder, DomainBounder::Make(run, root));
//   ESPALIER_RETURN_IF_ERROR(bounder->Optimise(domains, {.candidates = 6}));
//   ESPALIER_ASSIGN_OR_RETURN(std::vector<double> bound, bounder->LookAhead(probes));
//
// Two implementations, chosen by the device and the network's size: on the network that is left below the
// root (backend/compact.h), or with the batched passes of bounds/ on the whole one. What they
// optimise is not certified; Certify() says what it proves.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/domain_batch.h"

namespace espalier::search {

// The child of `parent` on one side of a candidate.
struct Probe {
  const Domain* parent = nullptr;
  Candidate candidate;
  int8_t sign = 1;
};

struct BounderSettings {
  int64_t iterations = 0;  // passes of a domain; 0: options.split_iterations
  int64_t candidates = 0;  // best scores kept per domain
  bool corners = false;    // keep the input corners of the worst few domains
  bool point = false;      // remember where the worst domain's relaxation has its optimum, for Cut()
};

class DomainBounder {
 public:
  virtual ~DomainBounder() = default;
  // Sets root.left. `from`: null, or a root whose bounds contain this one's: what is left is made of what is
  // left there.
  static absl::StatusOr<std::unique_ptr<DomainBounder>> Make(Run& run, SharedRoot& root,
                                                             const SharedRoot* from = nullptr);

  // Optimises slopes and multipliers, from the domains' own, for settings.iterations passes. Sets bound
  // (never below what it was), slopes, multipliers, candidates and corners. RESOURCE_EXHAUSTED: use fewer.
  virtual absl::Status Optimise(std::vector<Domain>& domains, const BounderSettings& settings) = 0;
  // One pass with the parent's slopes and multipliers.
  virtual absl::StatusOr<std::vector<double>> LookAhead(const std::vector<Probe>& probes) = 0;
  // Certified margins of the domains with their slopes, multipliers and weights, in double with the allowance
  // for rounding taken off: > 0 refutes. `details`: corners and input coefficients, when asked for.
  // RESOURCE_EXHAUSTED: use fewer.
  virtual absl::StatusOr<std::vector<double>> Certify(const std::vector<const Domain*>& domains,
                                                      bounds::RowDetails* details = nullptr) = 0;
  // Goes on with cuts (bounds/cuts.h) that serve the domain whose point was remembered; once more: with
  // better ones. False: nothing changed, for there are none, or the device takes none. The slopes of all
  // `open` domains, which have to be all that are open, grow by the cuts' own. Uncut() goes back, before any
  // certificate is asked for, and with the slopes of before.
  virtual absl::StatusOr<bool> Cut(std::vector<Domain>& open);
  virtual void Uncut() {}
  // Work of a pass with cuts in units of one without: 1 without any.
  virtual double CutWork() const { return 1; }
  // Whether it works on the network that is left: what refining a target's own bounds needs too.
  virtual bool reduced() const = 0;
};

// The child of `parent` on one side of a candidate. The last child takes the parent's lists.
Domain MakeChild(Domain&& parent, const Candidate& candidate, int8_t sign);
Domain MakeChild(const Domain& parent, const Candidate& candidate, int8_t sign);

}  // namespace espalier::search
