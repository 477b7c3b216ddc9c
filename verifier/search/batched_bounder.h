// DomainBounder with the batched passes of bounds/ on the whole network.
#pragma once

#include <optional>
#include <vector>

#include "verifier/bounds/optimise.h"
#include "verifier/search/domain_bounder.h"

namespace espalier::search {

class BatchedDomainBounder final : public DomainBounder {
 public:
  BatchedDomainBounder(Run& run, SharedRoot& root) : run_(run), root_(root) { optimiser_.emplace(run.plan); }
  absl::Status Optimise(std::vector<Domain>& domains, const BounderSettings& settings) override;
  absl::StatusOr<std::vector<double>> LookAhead(const std::vector<Probe>& probes) override;
  absl::StatusOr<std::vector<double>> Certify(const std::vector<const Domain*>& domains,
                                              bounds::RowDetails* details) override {
    return CertifyDomains(run_, root_, domains, nullptr, details);
  }
  bool reduced() const override { return false; }

 private:
  absl::Status OptimiseTogether(std::vector<Domain>& domains, const BounderSettings& settings);
  absl::Status LookAheadTogether(const Probe* probes, int64_t count, double* host);
  absl::Status CollectCandidates(DomainBatch<float>& batch, int64_t keep, std::vector<Domain>& domains);
  void KeepCorners(std::vector<Domain>& domains);

  Run& run_;
  SharedRoot& root_;
  std::optional<bounds::Optimiser<float>> optimiser_;
  bool short_ = false;  // memory has run out
};

}  // namespace espalier::search
