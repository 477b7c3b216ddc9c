#include "verifier/search/domain_batch.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "verifier/backend/neuron_math.h"
#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"

namespace espalier::search {

using backend::Allocate;
using backend::Buffer;
using bounds::ToDevice;

absl::StatusOr<SharedRoot> SharedRoot::Make(const bounds::Plan& plan, bounds::DomainBounds bounds) {
  SharedRoot root;
  root.bounds = std::move(bounds);
  ESPALIER_ASSIGN_OR_RETURN(root.relaxation32, bounds::Relaxation<float>::Make(plan, root.bounds.layers, 1));
  ESPALIER_ASSIGN_OR_RETURN(root.relaxation64, bounds::Relaxation<double>::Make(plan, root.bounds.layers, 1));
  for (size_t a = 0; a < plan.activations().size(); ++a) {
    root.slope_count += static_cast<int64_t>(root.relaxation64.unstable(static_cast<int>(a)).size());
  }
  return root;
}

template <>
bounds::Relaxation<float>& DomainBatch<float>::relaxation() {
  return root_.relaxation32;
}
template <>
bounds::Relaxation<double>& DomainBatch<double>::relaxation() {
  return root_.relaxation64;
}

template <class T>
absl::Status DomainBatch<T>::LoadBounds(const std::vector<const Domain*>& domains) {
  const size_t layers = root_.bounds.layers.size();
  std::vector<std::vector<T>> lower(layers), upper(layers);
  for (size_t a = 0; a < layers; ++a) {
    const std::vector<int32_t>& unstable = relaxation().unstable(static_cast<int>(a));
    std::vector<T> l, u;
    for (int32_t i : unstable) {
      l.push_back(bounds::RoundDown<T>(root_.bounds.layers[a].lower[static_cast<size_t>(i)]));
      u.push_back(bounds::RoundUp<T>(root_.bounds.layers[a].upper[static_cast<size_t>(i)]));
    }
    lower[a].reserve(l.size() * domains.size());
    upper[a].reserve(l.size() * domains.size());
    for (size_t d = 0; d < domains.size(); ++d) {
      lower[a].insert(lower[a].end(), l.begin(), l.end());
      upper[a].insert(upper[a].end(), u.begin(), u.end());
    }
  }
  for (size_t d = 0; d < domains.size(); ++d) {
    for (const Split& split : domains[d]->splits) {
      const auto a = static_cast<size_t>(split.layer);
      const size_t width = relaxation().unstable(split.layer).size();
      T& bound = (split.sign > 0 ? lower : upper)[a][d * width + static_cast<size_t>(split.unstable)];
      bound = T(0);
    }
  }
  return relaxation().SetDomains(run_.plan, static_cast<int64_t>(domains.size()), lower, upper);
}

template <class T>
absl::Status DomainBatch<T>::LoadSlopes(const std::vector<const Domain*>& domains) {
  auto& backend = run_.plan.backend();
  const size_t layers = root_.bounds.layers.size();
  for (auto* list : {&slopes_.alpha, &slopes_.first, &slopes_.second, &slopes_.best}) list->resize(layers);
  size_t offset = 0;
  for (size_t a = 0; a < layers; ++a) {
    const std::vector<int32_t>& unstable = relaxation().unstable(static_cast<int>(a));
    const size_t width = unstable.size();
    const ir::HingeLayer& hinge = run_.plan.hinge(static_cast<int>(a));
    const bounds::LayerBox& box = root_.bounds.layers[a];
    std::vector<double> lowest(width), range(width);
    std::vector<T> adaptive(width);
    for (size_t j = 0; j < width; ++j) {
      const auto i = static_cast<size_t>(unstable[j]);
      lowest[j] = std::min(hinge.left[i], hinge.right[i]);
      range[j] = std::max(hinge.left[i], hinge.right[i]) - lowest[j];
      adaptive[j] =
          backend::LinesOfHinge<T>(static_cast<T>(hinge.left[i]), static_cast<T>(hinge.right[i]),
                                   bounds::RoundDown<T>(box.lower[i]), bounds::RoundUp<T>(box.upper[i]))
              .free_start;
    }
    std::vector<T> alpha(width * domains.size());
    for (size_t d = 0; d < domains.size(); ++d) {
      T* own = alpha.data() + d * width;
      if (domains[d]->slopes.empty()) {
        std::copy(adaptive.begin(), adaptive.end(), own);
        continue;
      }
      const uint8_t* steps = domains[d]->slopes.data() + offset;
      for (size_t j = 0; j < width; ++j) own[j] = static_cast<T>(lowest[j] + range[j] * steps[j] / 255.0);
    }
    offset += width;
    ESPALIER_ASSIGN_OR_RETURN(slopes_.alpha[a], ToDevice<T>(backend, alpha));
    if constexpr (std::is_same_v<T, double>) continue;  // float64 certifies, and optimises nothing
    const auto count = static_cast<int64_t>(alpha.size());
    for (auto* list : {&slopes_.first, &slopes_.second, &slopes_.best}) {
      ESPALIER_ASSIGN_OR_RETURN((*list)[a], Allocate<T>(backend, count));
    }
    backend::KernelsOf<T>(backend).Fill(count, T(0), slopes_.first[a].data());
    backend::KernelsOf<T>(backend).Fill(count, T(0), slopes_.second[a].data());
  }
  return absl::OkStatus();
}

template <class T>
absl::Status DomainBatch<T>::LoadSplits(const std::vector<const Domain*>& domains) {
  auto& backend = run_.plan.backend();
  splits_.layers.clear();
  splits_.layers.resize(root_.bounds.layers.size());
  for (size_t a = 0; a < splits_.layers.size(); ++a) {
    const std::vector<int32_t>& unstable = relaxation().unstable(static_cast<int>(a));
    bounds::HostSplits<T> host;
    for (const Domain* domain : domains) {
      for (const Split& split : domain->splits) {
        if (split.layer == static_cast<int16_t>(a))
          host.Add(unstable[static_cast<size_t>(split.unstable)], split.sign, split.beta);
      }
      host.EndRow();
    }
    auto& layer = splits_.layers[a];
    ESPALIER_ASSIGN_OR_RETURN(layer, host.ToDevice(backend));
    if (layer.count == 0) continue;
    ESPALIER_ASSIGN_OR_RETURN(layer.beta, ToDevice<T>(backend, host.beta));
    const std::vector<T> zero(host.beta.size(), T(0));
    ESPALIER_ASSIGN_OR_RETURN(layer.first, ToDevice<T>(backend, zero));
    ESPALIER_ASSIGN_OR_RETURN(layer.second, ToDevice<T>(backend, zero));
  }
  return absl::OkStatus();
}

template <class T>
absl::Status DomainBatch<T>::Load(const std::vector<const Domain*>& domains) {
  count_ = static_cast<int64_t>(domains.size());
  ESPALIER_RETURN_IF_ERROR(LoadBounds(domains));
  ESPALIER_RETURN_IF_ERROR(LoadSlopes(domains));
  ESPALIER_RETURN_IF_ERROR(LoadSplits(domains));
  bounds::HostRows rows;
  rows.start = run_.plan.network().output;
  const std::vector<double>& magnitude = root_.bounds.magnitudes.host(rows.start);
  for (size_t d = 0; d < domains.size(); ++d) {
    const Target& target = run_.problem.targets[static_cast<size_t>(domains[d]->target)];
    AppendRow(run_.problem, target, domains[d]->weights, static_cast<int32_t>(d), magnitude, rows);
  }
  const bounds::InputBoxes& boxes = part_ != nullptr ? *part_ : root_.bounds.boxes;
  ESPALIER_ASSIGN_OR_RETURN(rows_, bounds::DeviceRows<T>::Make(run_.plan, rows, boxes));
  return absl::OkStatus();
}

template <class T>
bounds::BackwardInput<T> DomainBatch<T>::Input() {
  bounds::BackwardInput<T> in = rows_.Input(relaxation());
  in.slopes = &slopes_;
  in.splits = &splits_;
  in.magnitudes = &root_.bounds.magnitudes;
  return in;
}

template <class T>
void DomainBatch<T>::Store(bool best, const std::vector<Domain*>& domains) {
  auto& backend = run_.plan.backend();
  for (Domain* domain : domains) domain->slopes.resize(static_cast<size_t>(root_.slope_count));
  size_t offset = 0;
  for (size_t a = 0; a < root_.bounds.layers.size(); ++a) {
    const std::vector<int32_t>& unstable = relaxation().unstable(static_cast<int>(a));
    const ir::HingeLayer& hinge = run_.plan.hinge(static_cast<int>(a));
    std::vector<T> alpha(unstable.size() * domains.size());
    const Buffer<T>& source = best ? slopes_.best[a] : slopes_.alpha[a];
    backend.Download(source.data(), static_cast<int64_t>(alpha.size() * sizeof(T)), alpha.data());
    for (size_t d = 0; d < domains.size(); ++d) {
      for (size_t j = 0; j < unstable.size(); ++j) {
        const auto i = static_cast<size_t>(unstable[j]);
        const double lo = std::min(hinge.left[i], hinge.right[i]),
                     hi = std::max(hinge.left[i], hinge.right[i]);
        const double at = (static_cast<double>(alpha[d * unstable.size() + j]) - lo) / (hi - lo);
        domains[d]->slopes[offset + j] = static_cast<uint8_t>(std::lround(std::clamp(at, 0.0, 1.0) * 255.0));
      }
    }
    offset += unstable.size();
    auto& layer = splits_.layers[a];
    if (layer.count == 0) continue;
    std::vector<T> beta(static_cast<size_t>(layer.count));
    backend.Download((best ? layer.best : layer.beta).data(), static_cast<int64_t>(beta.size() * sizeof(T)),
                     beta.data());
    size_t k = 0;
    for (Domain* domain : domains) {
      for (Split& split : domain->splits) {
        if (split.layer == static_cast<int16_t>(a)) split.beta = static_cast<float>(beta[k++]);
      }
    }
  }
}

template class DomainBatch<float>;
template class DomainBatch<double>;

absl::StatusOr<std::vector<double>> CertifyDomains(Run& run, SharedRoot& root,
                                                   const std::vector<const Domain*>& domains,
                                                   const bounds::InputBoxes* part,
                                                   bounds::RowDetails* details) {
  PhaseTimer timer(run, "certify");
  DomainBatch<double> batch(run, root, part);
  ESPALIER_RETURN_IF_ERROR(batch.Load(domains));
  return bounds::CertifiedPass(run.plan, batch.Input(), details);
}

}  // namespace espalier::search
