#include "verifier/search/batched_bounder.h"

#include <algorithm>

#include "verifier/base/status.h"
#include "verifier/bounds/in_blocks.h"

namespace espalier::search {
namespace {

// Puts a candidate into a list that is kept sorted, best first, and at most `keep` long.
void KeepBest(const Candidate& candidate, int64_t keep, std::vector<Candidate>& best) {
  if (static_cast<int64_t>(best.size()) == keep && candidate.score <= best.back().score) return;
  best.insert(std::upper_bound(best.begin(), best.end(), candidate,
                               [](const Candidate& x, const Candidate& y) { return x.score > y.score; }),
              candidate);
  if (static_cast<int64_t>(best.size()) > keep) best.pop_back();
}

}  // namespace

absl::Status BatchedDomainBounder::Optimise(std::vector<Domain>& domains, const BounderSettings& settings) {
  absl::Status done = OptimiseTogether(domains, settings);
  // The buffers are as large as the largest batch so far: once memory has run out, none are kept.
  short_ = short_ || absl::IsResourceExhausted(done);
  if (short_) optimiser_.emplace(run_.plan);
  return done;
}

absl::Status BatchedDomainBounder::OptimiseTogether(std::vector<Domain>& domains,
                                                    const BounderSettings& settings) {
  std::vector<const Domain*> pointers;
  std::vector<Domain*> targets;
  for (Domain& domain : domains) pointers.push_back(&domain), targets.push_back(&domain);
  DomainBatch<float> batch(run_, root_);
  ESPALIER_RETURN_IF_ERROR(batch.Load(pointers));
  bounds::OptimiseSettings optimise;
  optimise.iterations =
      std::max<int64_t>(1, settings.iterations > 0 ? settings.iterations : run_.options.split_iterations);
  bounds::OptimiseResult result;
  const auto all_refuted = [](const std::vector<double>& best) {
    return std::all_of(best.begin(), best.end(), [](double b) { return b > 0; });
  };
  ESPALIER_RETURN_IF_ERROR(optimiser_->Run(batch.Input(), optimise, all_refuted, run_.stop, result));
  batch.Store(/*best=*/true, targets);
  for (size_t d = 0; d < domains.size(); ++d) {
    // A child is contained in its parent: its bound is never worse.
    if (result.best[d] > domains[d].bound) domains[d].bound = result.best[d];
  }
  ESPALIER_RETURN_IF_ERROR(CollectCandidates(batch, settings.candidates, domains));
  if (settings.corners) KeepCorners(domains);
  return absl::OkStatus();
}

absl::Status BatchedDomainBounder::CollectCandidates(DomainBatch<float>& batch, int64_t keep,
                                                     std::vector<Domain>& domains) {
  auto& backend = run_.plan.backend();
  const bounds::BackwardInput<float> in = batch.Input();
  for (Domain& domain : domains) domain.candidates.clear();
  if (keep == 0) return absl::OkStatus();
  for (size_t a = 0; a < root_.bounds.layers.size(); ++a) {
    const backend::LayerLines<float> lines = root_.relaxation32.lines(static_cast<int>(a));
    if (lines.unstable == 0) continue;
    const int64_t count = in.rows.rows * lines.unstable;
    ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<float> device, backend::Allocate<float>(backend, count));
    backend.f32().Score(in.rows, lines, optimiser_->saved()[a].data(), device.data());
    ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
    std::vector<float> score(static_cast<size_t>(count));
    backend.Download(device.data(), count * static_cast<int64_t>(sizeof(float)), score.data());
    for (size_t d = 0; d < domains.size(); ++d) {
      for (int64_t j = 0; j < lines.unstable; ++j) {
        const float value = score[d * static_cast<size_t>(lines.unstable) + static_cast<size_t>(j)];
        if (!(value > 0)) continue;
        KeepBest({static_cast<int16_t>(a), static_cast<int32_t>(j), value}, keep, domains[d].candidates);
      }
    }
  }
  return absl::OkStatus();
}

void BatchedDomainBounder::KeepCorners(std::vector<Domain>& domains) {
  for (size_t d = 0; d < domains.size(); ++d) {
    std::vector<float>& corner = domains[d].corner;
    corner.resize(static_cast<size_t>(run_.problem.inputs));
    const float* source = optimiser_->corner() + static_cast<int64_t>(d) * run_.problem.inputs;
    run_.plan.backend().Download(source, static_cast<int64_t>(corner.size() * sizeof(float)), corner.data());
  }
}

absl::StatusOr<std::vector<double>> BatchedDomainBounder::LookAhead(const std::vector<Probe>& probes) {
  std::vector<double> bound(probes.size());
  const auto part = [&](int64_t begin, int64_t end) {
    return LookAheadTogether(probes.data() + begin, end - begin, bound.data() + begin);
  };
  const auto count = static_cast<int64_t>(probes.size());
  ESPALIER_RETURN_IF_ERROR(bounds::InBlocks(run_.plan.backend(), count, count, StopToken(), part));
  return bound;
}

absl::Status BatchedDomainBounder::LookAheadTogether(const Probe* probes, int64_t count, double* host) {
  auto& backend = run_.plan.backend();
  std::vector<Domain> children;
  for (const Probe* p = probes; p != probes + count; ++p)
    children.push_back(MakeChild(*p->parent, p->candidate, p->sign));
  std::vector<const Domain*> pointers;
  for (const Domain& child : children) pointers.push_back(&child);
  DomainBatch<float> batch(run_, root_);
  ESPALIER_RETURN_IF_ERROR(batch.Load(pointers));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, count));
  bounds::BackwardPass<float> pass(run_.plan);
  ESPALIER_RETURN_IF_ERROR(pass.Run(batch.Input(), {.bound = bound.data()}));
  backend.Download(bound.data(), count * static_cast<int64_t>(sizeof(double)), host);
  return absl::OkStatus();
}

}  // namespace espalier::search
