#include "verifier/bounds/rows.h"

#include <cmath>
#include <limits>

#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"

namespace espalier::bounds {
namespace {

template <class V>
std::vector<V> Part(const std::vector<V>& values, int64_t begin, int64_t end, int64_t width) {
  if (values.empty()) return {};
  return std::vector<V>(values.begin() + begin * width, values.begin() + end * width);
}

absl::StatusOr<std::vector<backend::Buffer<double>>> WidenAll(
    backend::Backend& backend, const std::vector<backend::Buffer<float>>& source) {
  std::vector<backend::Buffer<double>> wide(source.size());
  for (size_t a = 0; a < source.size(); ++a) {
    if (source[a].data() == nullptr) continue;
    ESPALIER_ASSIGN_OR_RETURN(wide[a], backend::Allocate<double>(backend, source[a].size()));
    backend.Widen(source[a].size(), source[a].data(), wide[a].data());
  }
  return wide;
}

// The sides of rows, one list per activation.
absl::StatusOr<Splits<double>> ToSplits(const Plan& plan, const RowSides& sides, int64_t rows) {
  Splits<double> splits;
  splits.layers.resize(plan.activations().size());
  for (size_t a = 0; a < splits.layers.size(); ++a) {
    HostSplits<double> host;
    for (int64_t r = 0; r < rows; ++r) {
      for (size_t k = 0; k < sides.count(); ++k) {
        if (sides.activation[k] != static_cast<int32_t>(a)) continue;
        host.Add(sides.neuron[k], sides.sign[k], sides.beta[static_cast<size_t>(r) * sides.count() + k]);
      }
      host.EndRow();
    }
    ESPALIER_ASSIGN_OR_RETURN(splits.layers[a], host.ToDevice(plan.backend()));
  }
  return splits;
}

}  // namespace

HostRows HostRows::Slice(int64_t begin, int64_t end, int64_t start_size, int64_t inputs) const {
  HostRows part;
  part.start = start;
  part.domain = Part(domain, begin, end, 1);
  part.neuron = Part(neuron, begin, end, 1);
  part.sign = Part(sign, begin, end, 1);
  part.coefficients = Part(coefficients, begin, end, start_size);
  part.input_coefficients = Part(input_coefficients, begin, end, inputs);
  part.offset = Part(offset, begin, end, 1);
  part.offset_error = Part(offset_error, begin, end, 1);
  return part;
}

template <class T>
absl::StatusOr<DeviceRows<T>> DeviceRows<T>::Make(const Plan& plan, const HostRows& rows,
                                                  const InputBoxes& boxes) {
  auto& backend = plan.backend();
  DeviceRows<T> device;
  device.count_ = rows.count();
  device.start_ = rows.start;
  ESPALIER_ASSIGN_OR_RETURN(device.domain_, ToDevice<int32_t>(backend, rows.domain));
  if (boxes.domains == 1) {
    const std::vector<int32_t> first(rows.domain.size(), 0);
    ESPALIER_ASSIGN_OR_RETURN(device.box_, ToDevice<int32_t>(backend, first));
  }
  if (rows.coefficients.empty()) {
    ESPALIER_ASSIGN_OR_RETURN(device.neuron_, ToDevice<int32_t>(backend, rows.neuron));
    ESPALIER_ASSIGN_OR_RETURN(device.sign_,
                              ToDevice<T>(backend, std::vector<T>(rows.sign.begin(), rows.sign.end())));
  } else {
    const std::vector<T> c(rows.coefficients.begin(), rows.coefficients.end());
    ESPALIER_ASSIGN_OR_RETURN(device.coefficients_, ToDevice<T>(backend, c));
  }
  if (!rows.input_coefficients.empty()) {
    const std::vector<T> c(rows.input_coefficients.begin(), rows.input_coefficients.end());
    ESPALIER_ASSIGN_OR_RETURN(device.input_coefficients_, ToDevice<T>(backend, c));
  }
  if (!rows.offset.empty()) {
    ESPALIER_ASSIGN_OR_RETURN(device.offset_, ToDevice<double>(backend, rows.offset));
  }
  if (!rows.offset_error.empty()) {
    ESPALIER_ASSIGN_OR_RETURN(device.offset_error_, ToDevice<double>(backend, rows.offset_error));
  }
  std::vector<T> lower, upper;
  lower.reserve(boxes.lower.size());
  upper.reserve(boxes.upper.size());
  for (double v : boxes.lower) lower.push_back(RoundDown<T>(v));
  for (double v : boxes.upper) upper.push_back(RoundUp<T>(v));
  ESPALIER_ASSIGN_OR_RETURN(device.lower_, ToDevice<T>(backend, lower));
  ESPALIER_ASSIGN_OR_RETURN(device.upper_, ToDevice<T>(backend, upper));
  return device;
}

template <class T>
BackwardInput<T> DeviceRows<T>::Input(const Relaxation<T>& relaxation) const {
  BackwardInput<T> in;
  in.rows = {count_, domain_.data()};
  in.box_of_row = box_.data() != nullptr ? box_.data() : domain_.data();
  in.start = start_;
  in.coefficients = coefficients_.data();
  in.unit_neuron = neuron_.data();
  in.unit_sign = sign_.data();
  in.input_coefficients = input_coefficients_.data();
  in.offset = offset_.data();
  in.offset_error = offset_error_.data();
  in.relaxation = &relaxation;
  in.input_lower = lower_.data();
  in.input_upper = upper_.data();
  return in;
}

template class DeviceRows<float>;
template class DeviceRows<double>;

std::vector<double> CornersOf(const std::vector<double>& lambda, const InputBoxes& boxes) {
  std::vector<double> corners(lambda.size());
  const size_t inputs = boxes.lower.size(), rows = lambda.size() / inputs;
#pragma omp parallel for if (rows > 1)
  for (size_t r = 0; r < rows; ++r) {
    const double* row = lambda.data() + r * inputs;
    double* corner = corners.data() + r * inputs;
    for (size_t i = 0; i < inputs; ++i) corner[i] = row[i] >= 0 ? boxes.lower[i] : boxes.upper[i];
  }
  return corners;
}

std::vector<double> TakeCertified(backend::Backend& backend, const backend::Buffer<double>& bound,
                                  const backend::Buffer<double>& error, int64_t rows) {
  std::vector<double> lower(static_cast<size_t>(rows)), allowance(lower.size());
  backend.Download(bound.data(), rows * 8, lower.data());
  backend.Download(error.data(), rows * 8, allowance.data());
  for (size_t r = 0; r < lower.size(); ++r) {
    lower[r] -= 1.0001 * allowance[r];
    if (std::isnan(lower[r])) lower[r] = -std::numeric_limits<double>::infinity();
  }
  return lower;
}

template <class T>
absl::StatusOr<typename Splits<T>::Layer> HostSplits<T>::ToDevice(backend::Backend& backend) const {
  typename Splits<T>::Layer layer;
  layer.count = static_cast<int64_t>(neuron.size());
  if (layer.count == 0) return layer;
  ESPALIER_ASSIGN_OR_RETURN(layer.begin, bounds::ToDevice<int32_t>(backend, begin));
  ESPALIER_ASSIGN_OR_RETURN(layer.neuron, bounds::ToDevice<int32_t>(backend, neuron));
  ESPALIER_ASSIGN_OR_RETURN(layer.sign, bounds::ToDevice<T>(backend, sign));
  ESPALIER_ASSIGN_OR_RETURN(layer.best, bounds::ToDevice<T>(backend, beta));
  return layer;
}

template struct HostSplits<float>;
template struct HostSplits<double>;

absl::StatusOr<std::vector<double>> CertifiedPass(const Plan& plan, const BackwardInput<double>& in,
                                                  RowDetails* details) {
  auto& backend = plan.backend();
  const int64_t rows = in.rows.rows, entries = rows * plan.node(0).size;
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, rows));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> error, backend::Allocate<double>(backend, rows));
  BackwardOutput<double> out{.bound = bound.data(), .error = error.data()};
  backend::Buffer<double> corner, lambda;
  std::vector<backend::Buffer<double>> saved;
  if (details != nullptr) {
    ESPALIER_ASSIGN_OR_RETURN(corner, backend::Allocate<double>(backend, entries));
    ESPALIER_ASSIGN_OR_RETURN(lambda, backend::Allocate<double>(backend, entries));
    out.corner = corner.data();
    out.input_lambda = lambda.data();
    if (details->neurons) out.saved = &saved;
  }
  BackwardPass<double> pass(plan);
  ESPALIER_RETURN_IF_ERROR(pass.Run(in, out));
  if (details != nullptr) {
    details->corner.resize(static_cast<size_t>(entries));
    details->input_lambda.resize(static_cast<size_t>(entries));
    backend.Download(corner.data(), entries * 8, details->corner.data());
    backend.Download(lambda.data(), entries * 8, details->input_lambda.data());
    details->neuron_lambda.assign(saved.size(), {});
    for (size_t a = 0; a < saved.size(); ++a) {
      if (saved[a].data() == nullptr) continue;  // the rows start below this layer
      details->neuron_lambda[a].resize(static_cast<size_t>(rows) *
                                       in.relaxation->unstable(static_cast<int>(a)).size());
      backend.Download(saved[a].data(), static_cast<int64_t>(details->neuron_lambda[a].size()) * 8,
                       details->neuron_lambda[a].data());
    }
  }
  return TakeCertified(backend, bound, error, rows);
}

absl::StatusOr<std::vector<double>> CertifiedBounds(const Scope& scope, const HostRows& rows,
                                                    const Slopes<float>* slopes, RowDetails* details,
                                                    const RowSides* sides) {
  const Plan& plan = *scope.plan;
  auto& backend = plan.backend();
  ESPALIER_ASSIGN_OR_RETURN(const DeviceRows<double> device,
                            DeviceRows<double>::Make(plan, rows, *scope.boxes));
  BackwardInput<double> in = device.Input(*scope.relaxation64);
  in.magnitudes = scope.magnitudes;
  in.use_best = true;
  Slopes<double> wide_slopes;
  if (slopes != nullptr) {
    ESPALIER_ASSIGN_OR_RETURN(wide_slopes.best, WidenAll(backend, slopes->best));
    in.slopes = &wide_slopes;
  }
  Splits<double> splits;
  if (sides != nullptr && sides->count() > 0) {
    ESPALIER_ASSIGN_OR_RETURN(splits, ToSplits(plan, *sides, rows.count()));
    in.splits = &splits;
  }
  return CertifiedPass(plan, in, details);
}

}  // namespace espalier::bounds
