#include "verifier/search/compact_bounder.h"

#include <algorithm>
#include <utility>

#include "verifier/base/status.h"
#include "verifier/bounds/compact.h"
#include "verifier/bounds/refine.h"

namespace espalier::search {

using backend::CompactDomain;

namespace {

// Coefficients of a network that stays listed as long as its root: 25 MB.
constexpr int64_t kMostKeptWork = int64_t{1} << 21;
constexpr uint8_t kHalfOfACut = 128;

}  // namespace

CompactDomainBounder::CompactDomainBounder(Run& run, SharedRoot& root,
                                           std::unique_ptr<backend::CompactBounder> device)
    : run_(run), root_(root), device_(std::move(device)), first_{0} {
  for (size_t a = 0; a < root.bounds.layers.size(); ++a) {
    const size_t width = root.relaxation64.unstable(static_cast<int>(a)).size();
    first_.push_back(first_.back() + static_cast<int32_t>(width));
  }
}

bounds::HostRows CompactDomainBounder::Rows(const std::vector<const Domain*>& domains) const {
  bounds::HostRows rows;
  rows.start = run_.plan.network().output;
  const std::vector<double>& magnitude = root_.bounds.magnitudes.host(rows.start);
  for (const Domain* domain : domains) {
    const Target& target = run_.problem.targets[static_cast<size_t>(domain->target)];
    AppendRow(run_.problem, target, domain->weights, 0, magnitude, rows);
  }
  return rows;
}

void CompactDomainBounder::AppendSplits(const Domain& domain,
                                        std::vector<backend::CompactSplit>& splits) const {
  for (const Split& split : domain.splits) {
    splits.push_back({Number(split.layer, split.unstable), static_cast<float>(split.sign), split.beta});
  }
}

absl::Span<CompactDomain> CompactDomainBounder::Load(const std::vector<const Domain*>& domains,
                                                     bounds::HostRows& rows) {
  rows = Rows(domains);
  const auto outputs = static_cast<size_t>(run_.problem.outputs);
  if (loaded_.size() < domains.size()) loaded_.resize(domains.size());
  const absl::Span<CompactDomain> loaded = absl::MakeSpan(loaded_).first(domains.size());
  const bool input = !rows.input_coefficients.empty();
  for (size_t d = 0; d < domains.size(); ++d) {
    const auto begin = rows.coefficients.begin() + static_cast<int64_t>(d * outputs);
    loaded[d].output.assign(begin, begin + static_cast<int64_t>(outputs));
    loaded[d].input =
        input ? rows.input_coefficients.data() + d * static_cast<size_t>(run_.problem.inputs) : nullptr;
    loaded[d].offset = rows.offset.empty() ? 0 : rows.offset[d];
    loaded[d].start = domains[d]->slopes;
    loaded[d].splits.clear();
    AppendSplits(*domains[d], loaded[d].splits);
  }
  return loaded;
}

absl::Status CompactDomainBounder::Optimise(std::vector<Domain>& domains, const BounderSettings& settings) {
  std::vector<const Domain*> pointers;
  for (const Domain& domain : domains) pointers.push_back(&domain);
  bounds::HostRows rows;
  const absl::Span<CompactDomain> loaded = Load(pointers, rows);
  backend::CompactSettings wanted;
  wanted.iterations =
      std::max<int64_t>(1, settings.iterations > 0 ? settings.iterations : run_.options.split_iterations);
  wanted.candidates = settings.candidates;
  wanted.slopes = true;
  wanted.corners = settings.corners;
  wanted.points = settings.point;
  ESPALIER_RETURN_IF_ERROR(device_->Bound(loaded, wanted));
  for (const auto& [name, count] : device_->TakeCounts()) run_.Count(name, count);
  if (settings.point) {
    CompactDomain& worst =
        *std::min_element(loaded.begin(), loaded.end(),
                          [](const CompactDomain& a, const CompactDomain& b) { return a.bound < b.bound; });
    point_ = std::move(worst.point);
    coefficients_ = std::move(worst.coefficients);
  }
  for (size_t d = 0; d < domains.size(); ++d) TakeBack(loaded[d], domains[d]);
  return absl::OkStatus();
}

void CompactDomainBounder::TakeBack(CompactDomain& loaded, Domain& domain) const {
  // A child is contained in its parent: its bound is never worse.
  if (loaded.bound > domain.bound) domain.bound = loaded.bound;
  loaded.start = {};
  domain.slopes.swap(loaded.slopes);
  domain.corner = std::move(loaded.corner);
  for (size_t k = 0; k < domain.splits.size(); ++k) domain.splits[k].beta = loaded.splits[k].beta;
  domain.candidates.clear();
  domain.candidates.reserve(loaded.candidates.size());
  for (const auto& [number, score] : loaded.candidates) {
    const auto layer = std::upper_bound(first_.begin(), first_.end(), number) - first_.begin() - 1;
    domain.candidates.push_back(
        {static_cast<int16_t>(layer), number - first_[static_cast<size_t>(layer)], score});
  }
}

absl::StatusOr<std::vector<double>> CompactDomainBounder::LookAhead(const std::vector<Probe>& probes) {
  std::vector<const Domain*> parents;
  for (const Probe& probe : probes) {
    if (parents.empty() || parents.back() != probe.parent) parents.push_back(probe.parent);
  }
  bounds::HostRows rows;
  const absl::Span<const CompactDomain> loaded = Load(parents, rows);
  std::vector<backend::CompactTrial> trials;
  size_t at = 0;
  for (const Probe& probe : probes) {
    if (parents[at] != probe.parent) ++at;
    const Candidate& c = probe.candidate;
    trials.push_back({&loaded[at], {Number(c.layer, c.unstable), static_cast<float>(probe.sign), 0.0f}});
  }
  ESPALIER_RETURN_IF_ERROR(device_->Try(absl::MakeSpan(trials)));
  std::vector<double> bound;
  for (const backend::CompactTrial& trial : trials) bound.push_back(trial.bound);
  return bound;
}

// The remembered point in slots of the network without cuts.
std::vector<float> CompactDomainBounder::UncutPoint() const {
  if (slot_of_.empty()) return point_;
  std::vector<float> point;
  for (const int32_t slot : slot_of_) point.push_back(point_[static_cast<size_t>(slot)]);
  return point;
}

absl::StatusOr<bool> CompactDomainBounder::Cut(std::vector<Domain>& open) {
  if (point_.empty() || root_.left == nullptr) return false;
  if (cuts_ == nullptr) {
    cuts_ = std::make_unique<bounds::CutMaker>(root_.left->network);
    cuts_->Know(bounds::RangesOfUnstable(root_.bounds.layers, root_.left->unstable));
  }
  const std::vector<float> point = UncutPoint();
  if (!cuts_->Improve({point, coefficients_})) return false;
  bounds::CutNetwork cut = cuts_->Make(bounds::CutNumbers::kBehind);
  auto device = run_.plan.backend().MakeCompact(cut.network);
  if (bounds::DoWithout(device.status())) return false;
  ESPALIER_RETURN_IF_ERROR(device.status());
  if (uncut_ == nullptr) uncut_ = std::move(device_);
  device_ = *std::move(device);
  cut_work_ = static_cast<double>(cut.network.work()) / static_cast<double>(root_.left->network.work());
  for (Domain& domain : open) {
    if (domain.slopes.empty()) continue;
    domain.slopes.resize(static_cast<size_t>(root_.slope_count));
    domain.slopes.resize(static_cast<size_t>(cut.network.unstable()), kHalfOfACut);
  }
  slot_of_ = std::move(cut.slot_of);
  cut_ = std::move(cut.network);
  return true;
}

void CompactDomainBounder::Uncut() {
  device_ = std::move(uncut_);
  cut_.reset();
  cut_work_ = 1;
  ForgetPoint();
}

void CompactDomainBounder::ForgetPoint() {
  cuts_.reset();
  point_ = coefficients_ = {};
  slot_of_ = {};
}

absl::Status CompactDomainBounder::MakeCertifier() {
  certifier_made_ = true;
  auto certifier = run_.plan.backend().MakeCompactCertifier(cut_.has_value() ? *cut_ : root_.left->network);
  if (certifier.ok()) certifier_ = *std::move(certifier);
  // Certificates of the whole network know no cuts. Longer slopes do no harm: the cuts' stand at the end.
  if (!certifier.ok() && cut_.has_value()) Uncut();
  cut_.reset();
  return bounds::DoWithout(certifier.status()) ? absl::OkStatus() : certifier.status();
}

absl::StatusOr<std::vector<double>> CompactDomainBounder::Certify(const std::vector<const Domain*>& domains,
                                                                  bounds::RowDetails* details) {
  if (!certifier_made_) ESPALIER_RETURN_IF_ERROR(MakeCertifier());
  uncut_.reset();
  ForgetPoint();
  // Roots of parts are made of it, which is worth its memory where that is little.
  if (root_.left != nullptr && root_.left->network.work() > kMostKeptWork) root_.left.reset();
  if (certifier_ == nullptr) return CertifyDomains(run_, root_, domains, nullptr, details);
  PhaseTimer timer(run_, "certify");
  const bounds::HostRows rows = Rows(domains);
  const auto outputs = static_cast<size_t>(run_.problem.outputs);
  const auto inputs = static_cast<size_t>(run_.problem.inputs);
  size_t all = 0;
  for (const Domain* domain : domains) all += domain->splits.size();
  std::vector<backend::CompactSplit> splits;
  splits.reserve(all);  // the claims point into it
  std::vector<backend::CompactClaim> claims(domains.size());
  if (details != nullptr) details->input_lambda.resize(domains.size() * inputs);
  for (size_t d = 0; d < domains.size(); ++d) {
    claims[d].output = absl::MakeConstSpan(rows.coefficients).subspan(d * outputs, outputs);
    if (!rows.input_coefficients.empty()) claims[d].input = rows.input_coefficients.data() + d * inputs;
    if (!rows.offset.empty()) claims[d].offset = rows.offset[d];
    claims[d].slopes = domains[d]->slopes;
    if (details != nullptr) claims[d].lambda = details->input_lambda.data() + d * inputs;
    const size_t first = splits.size();
    AppendSplits(*domains[d], splits);
    claims[d].splits = absl::MakeConstSpan(splits).subspan(first);
  }
  ESPALIER_RETURN_IF_ERROR(certifier_->Bound(absl::MakeSpan(claims)));
  std::vector<double> certified;
  for (size_t d = 0; d < domains.size(); ++d) {
    certified.push_back(bounds::Proved(claims[d], rows.offset_error.empty() ? 0 : rows.offset_error[d]));
  }
  if (details != nullptr) details->corner = bounds::CornersOf(details->input_lambda, root_.bounds.boxes);
  return certified;
}

}  // namespace espalier::search
