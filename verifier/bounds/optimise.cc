#include "verifier/bounds/optimise.h"

#include <limits>

#include "verifier/base/status.h"

namespace espalier::bounds {
namespace {

template <class T>
absl::Status Grow(backend::Backend& backend, int64_t count, backend::Buffer<T>& buffer) {
  if (buffer.data() != nullptr && buffer.size() >= count) return absl::OkStatus();
  buffer = {};
  ESPALIER_ASSIGN_OR_RETURN(buffer, backend::Allocate<T>(backend, count));
  return absl::OkStatus();
}

}  // namespace

template <class T>
absl::Status Optimiser<T>::StartSlopes(const BackwardInput<T>& in, Slopes<T>& slopes) {
  auto& backend = plan_.backend();
  auto& kernels = backend::KernelsOf<T>(backend);
  const size_t count = plan_.activations().size();
  for (auto* list : {&slopes.alpha, &slopes.first, &slopes.second, &slopes.best}) list->resize(count);
  for (size_t a = 0; a < count; ++a) {
    if (plan_.activations()[a] >= in.start || !in.relaxation->known(static_cast<int>(a))) continue;
    const backend::LayerLines<T> lines = in.relaxation->lines(static_cast<int>(a));
    const int64_t size = in.rows.rows * lines.unstable;
    for (auto* list : {&slopes.alpha, &slopes.first, &slopes.second, &slopes.best}) {
      ESPALIER_RETURN_IF_ERROR(Grow(backend, size, (*list)[a]));
    }
    kernels.GatherRows(in.rows, lines.unstable, lines.free_start, slopes.alpha[a].data());
    kernels.Fill(size, T(0), slopes.first[a].data());
    kernels.Fill(size, T(0), slopes.second[a].data());
  }
  return backend.Synchronise();
}

template <class T>
absl::Status Optimiser<T>::KeepBest(const BackwardInput<T>& in, const std::vector<double>& best) {
  auto& backend = plan_.backend();
  auto& kernels = backend::KernelsOf<T>(backend);
  const int64_t rows = in.rows.rows;
  backend.Upload(best.data(), rows * static_cast<int64_t>(sizeof(double)), best_.data());
  for (size_t a = 0; a < in.slopes->alpha.size(); ++a) {
    if (in.slopes->alpha[a].data() == nullptr || !in.relaxation->known(static_cast<int>(a))) continue;
    kernels.KeepBest(rows, in.relaxation->lines(static_cast<int>(a)).unstable, bound_.data(), best_.data(),
                     in.slopes->alpha[a].data(), in.slopes->best[a].data());
  }
  if (in.splits == nullptr) return absl::OkStatus();
  for (auto& layer : in.splits->layers) {
    if (layer.count == 0) continue;
    kernels.KeepBestSplits(rows, layer.begin.data(), bound_.data(), best_.data(), layer.beta.data(),
                           layer.best.data());
  }
  return absl::OkStatus();
}

template <class T>
absl::Status Optimiser<T>::Run(BackwardInput<T> in, const OptimiseSettings& settings,
                               const std::function<bool(const std::vector<double>&)>& done, StopToken stop,
                               OptimiseResult& result, bool want_trajectory) {
  auto& backend = plan_.backend();
  const int64_t rows = in.rows.rows;
  ESPALIER_RETURN_IF_ERROR(Grow(backend, rows * plan_.node(0).size, corner_));
  ESPALIER_RETURN_IF_ERROR(Grow(backend, rows, bound_));
  ESPALIER_RETURN_IF_ERROR(Grow(backend, rows, best_));
  result.best.assign(static_cast<size_t>(rows), -std::numeric_limits<double>::infinity());
  std::vector<double> bound(static_cast<size_t>(rows));
  BackwardOutput<T> out;
  out.bound = bound_.data();
  out.corner = corner_.data();
  out.saved = &saved_;
  backend::AdamStep step{settings.alpha_rate, settings.beta_rate, 1};
  for (int64_t i = 0; i < settings.iterations; ++i, ++step.step) {
    ESPALIER_RETURN_IF_ERROR(pass_.Run(in, out));
    backend.Download(bound_.data(), rows * static_cast<int64_t>(sizeof(double)), bound.data());
    if (settings.keep_best) ESPALIER_RETURN_IF_ERROR(KeepBest(in, result.best));
    for (size_t r = 0; r < bound.size(); ++r) {
      if (bound[r] > result.best[r]) result.best[r] = bound[r];
    }
    if (want_trajectory) result.trajectory.push_back(bound);
    if (i + 1 == settings.iterations || (done && done(result.best)) || stop.StopRequested()) break;
    ESPALIER_RETURN_IF_ERROR(pass_.Step(in, out, &step));
    step.alpha_rate *= settings.decay;
    step.beta_rate *= settings.decay;
  }
  return backend.Synchronise();
}

template class Optimiser<float>;
template class Optimiser<double>;

}  // namespace espalier::bounds
