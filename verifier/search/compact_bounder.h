// DomainBounder on the network that is left below the root.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "verifier/backend/compact.h"
#include "verifier/backend/compact_certifier.h"
#include "verifier/bounds/cuts.h"
#include "verifier/search/domain_bounder.h"

namespace espalier::search {

class CompactDomainBounder final : public DomainBounder {
 public:
  // `device` was made of root.left. Where the backend has no certifier, domains are certified on the whole
  // network.
  CompactDomainBounder(Run& run, SharedRoot& root, std::unique_ptr<backend::CompactBounder> device);
  absl::Status Optimise(std::vector<Domain>& domains, const BounderSettings& settings) override;
  absl::StatusOr<std::vector<double>> LookAhead(const std::vector<Probe>& probes) override;
  absl::StatusOr<std::vector<double>> Certify(const std::vector<const Domain*>& domains,
                                              bounds::RowDetails* details) override;
  absl::StatusOr<bool> Cut(std::vector<Domain>& open) override;
  void Uncut() override;
  double CutWork() const override { return cut_work_; }
  bool reduced() const override { return true; }

 private:
  absl::Status MakeCertifier();
  std::vector<float> UncutPoint() const;
  void ForgetPoint();
  bounds::HostRows Rows(const std::vector<const Domain*>& domains) const;
  void AppendSplits(const Domain& domain, std::vector<backend::CompactSplit>& splits) const;
  // The domains' margins and splits into loaded_, which is never made smaller: its lists are used again.
  // `rows` keeps what they point to.
  absl::Span<backend::CompactDomain> Load(const std::vector<const Domain*>& domains, bounds::HostRows& rows);
  // What the device made of the domain; its old slopes become the list for the next one's.
  void TakeBack(backend::CompactDomain& loaded, Domain& domain) const;
  int32_t Number(int16_t layer, int32_t unstable) const {
    return first_[static_cast<size_t>(layer)] + unstable;
  }

  Run& run_;
  SharedRoot& root_;
  std::unique_ptr<backend::CompactBounder> device_;
  std::unique_ptr<backend::CompactBounder> uncut_;  // device_ before there were cuts, for Uncut()
  std::optional<backend::CompactNetwork> cut_;      // that device_ is made of, until the certifier is
  double cut_work_ = 1;
  std::unique_ptr<bounds::CutMaker> cuts_;  // made for the first ones
  std::vector<int32_t> slot_of_;            // of device_'s network, by slots without cuts; empty: it has none
  std::vector<float> point_, coefficients_;  // of the domain that was remembered
  // Made for the first certificate that is asked for: many roots of parts are only looked at.
  bool certifier_made_ = false;
  std::unique_ptr<backend::CompactCertifier> certifier_;
  std::vector<backend::CompactDomain> loaded_;
  std::vector<int32_t> first_;  // per layer: number of its first unstable neuron; one more at the end
};

}  // namespace espalier::search
