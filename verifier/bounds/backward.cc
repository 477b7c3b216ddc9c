#include "verifier/bounds/backward.h"

#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"

namespace espalier::bounds {

using backend::Buffer;
using backend::KernelsOf;

template <class T>
absl::StatusOr<T*> BackwardPass<T>::Reserve(ir::NodeId node, int64_t rows) {
  Buffer<T>& buffer = buffers_[static_cast<size_t>(node)];
  const int64_t count = rows * plan_.node(node).size;
  if (buffer.data() == nullptr || buffer.size() < count) {
    buffer = {};
    ESPALIER_ASSIGN_OR_RETURN(buffer, backend::Allocate<T>(plan_.backend(), count));
  }
  return buffer.data();
}

// Products of this node's maps (longest_backward_sum), the rounding of stored coefficients and slopes,
// accumulation over terms; in double also the sums along the node's neurons (float32 passes make those in
// double).
template <class T>
double BackwardPass<T>::ErrorFactor(const PlanNode& node) const {
  const auto sums = static_cast<double>(node.longest_backward_sum + node.fan_in +
                                        static_cast<int64_t>(node.terms.size()) + 8);
  return Gamma<T>(sums) + SumFactor(node.size);
}

// A sum in double along `size` neurons, added to a constant that every node of the network adds to.
template <class T>
double BackwardPass<T>::SumFactor(int64_t size) const {
  return Gamma<double>(static_cast<double>(size) + static_cast<double>(plan_.nodes().size()) + 8.0);
}

template <class T>
backend::SplitRows<T> BackwardPass<T>::SplitsOf(const BackwardInput<T>& in, int activation, bool step) const {
  if (in.splits == nullptr || in.splits->layers.empty()) return {};
  typename Splits<T>::Layer& layer = in.splits->layers[static_cast<size_t>(activation)];
  if (layer.count == 0) return {};
  return {layer.begin.data(),
          layer.neuron.data(),
          layer.sign.data(),
          in.use_best ? layer.best.data() : layer.beta.data(),
          step ? layer.first.data() : nullptr,
          step ? layer.second.data() : nullptr};
}

template <class T>
absl::Status BackwardPass<T>::BackwardAffine(const BackwardInput<T>& in, const BackwardOutput<T>& out,
                                             ir::NodeId id) {
  const PlanNode& node = plan_.node(id);
  auto& kernels = KernelsOf<T>(plan_.backend());
  const int64_t rows = in.rows.rows;
  const T* lambda = lambda_[static_cast<size_t>(id)];
  const bool unit = id == in.start && in.unit_neuron != nullptr;
  const backend::UnitRows<T> units{rows, in.unit_neuron, in.unit_sign};
  const T* bias = node.device<T>().bias.data();
  double* acc = device_acc_.data();
  if (node.has_bias && unit) kernels.DotUnit(units, bias, 1.0, false, acc);
  if (node.has_bias && !unit) kernels.Dot(rows, node.size, lambda, bias, acc);
  if (out.error != nullptr) {
    const T* v = in.magnitudes->template affine<T>(id);
    if (unit) {
      kernels.DotUnit(units, v, ErrorFactor(node), true, out.error);
    } else {
      kernels.AbsDot(rows, node.size, lambda, v, ErrorFactor(node), out.error);
    }
  }
  for (const PlanTerm& term : node.terms) {
    T*& target = lambda_[static_cast<size_t>(term.predecessor)];
    const bool accumulate = target != nullptr;
    if (!accumulate) {
      ESPALIER_ASSIGN_OR_RETURN(target, Reserve(term.predecessor, rows));
    }
    if (unit) {
      kernels.BackwardUnit(*term.map, units, target, accumulate);
    } else {
      kernels.Backward(*term.map, rows, lambda, target, accumulate);
    }
  }
  return absl::OkStatus();
}

template <class T>
absl::Status BackwardPass<T>::BackwardActivation(const BackwardInput<T>& in, const BackwardOutput<T>& out,
                                                 ir::NodeId id) {
  const PlanNode& node = plan_.node(id);
  const auto a = static_cast<size_t>(node.activation);
  auto& kernels = KernelsOf<T>(plan_.backend());
  if (!in.relaxation->known(node.activation))
    return absl::InternalError("a bound pass met an unbounded layer");
  const backend::LayerLines<T> lines = in.relaxation->lines(node.activation);
  T* saved = nullptr;
  if (out.saved != nullptr) {
    Buffer<T>& buffer = (*out.saved)[a];
    const int64_t count = in.rows.rows * lines.unstable;
    if (buffer.data() == nullptr || buffer.size() < count) {
      buffer = {};
      ESPALIER_ASSIGN_OR_RETURN(buffer, backend::Allocate<T>(plan_.backend(), count));
    }
    saved = buffer.data();
  }
  backend::Learned<T> learned;
  if (in.slopes != nullptr) {
    learned.slopes.alpha = in.use_best ? in.slopes->best[a].data() : in.slopes->alpha[a].data();
  }
  learned.splits = SplitsOf(in, node.activation, false);
  T* lambda = lambda_[static_cast<size_t>(id)];
  kernels.ApplyLines(in.rows, lines, learned, lambda, saved,
                     {device_acc_.data(), out.error, Gamma<T>(8.0) + SumFactor(node.size)});
  T*& target = lambda_[static_cast<size_t>(node.predecessor)];
  if (target == nullptr) {
    target = lambda;
  } else {
    kernels.Add(in.rows.rows * node.size, lambda, target);
  }
  return absl::OkStatus();
}

template <class T>
absl::Status BackwardPass<T>::Finish(const BackwardInput<T>& in, const BackwardOutput<T>& out) {
  auto& kernels = KernelsOf<T>(plan_.backend());
  const int64_t rows = in.rows.rows, n = plan_.node(0).size;
  T* lambda = lambda_[0];
  if (lambda == nullptr) {
    ESPALIER_ASSIGN_OR_RETURN(lambda, Reserve(0, rows));
    kernels.Fill(rows * n, T(0), lambda);
  }
  if (in.input_coefficients != nullptr) kernels.Add(rows * n, in.input_coefficients, lambda);
  kernels.Concretise({rows, in.box_of_row}, n, lambda, {in.input_lower, in.input_upper},
                     {device_acc_.data(), out.error, SumFactor(n) + Gamma<T>(4.0)}, {out.bound, out.corner});
  if (out.input_lambda != nullptr) {
    kernels.Fill(rows * n, T(0), out.input_lambda);
    kernels.Add(rows * n, lambda, out.input_lambda);
  }
  return absl::OkStatus();
}

template <class T>
absl::Status BackwardPass<T>::Run(const BackwardInput<T>& in, const BackwardOutput<T>& out) {
  const int64_t rows = in.rows.rows;
  auto& backend = plan_.backend();
  if (device_acc_.data() == nullptr || device_acc_.size() < rows) {
    device_acc_ = {};
    ESPALIER_ASSIGN_OR_RETURN(device_acc_, backend::Allocate<double>(backend, rows));
  }
  backend.f64().Fill(rows, 0.0, device_acc_.data());
  if (in.offset != nullptr) backend.f64().Add(rows, in.offset, device_acc_.data());
  // Underflow: each of fewer than 2^40 products may lose a denormal, times the largest magnitude it meets.
  if (out.error != nullptr) {
    const double underflow = (1.0 + in.magnitudes->total()) * (std::is_same_v<T, float> ? 1e-32 : 1e-300);
    backend.f64().Fill(rows, underflow, out.error);
    if (in.offset_error != nullptr) backend.f64().Add(rows, in.offset_error, out.error);
  }
  lambda_.assign(plan_.nodes().size(), nullptr);
  lambda_[static_cast<size_t>(in.start)] = const_cast<T*>(in.coefficients);
  if (out.saved != nullptr) out.saved->resize(plan_.activations().size());
  for (ir::NodeId id = in.start; id > 0; --id) {
    const bool unit_start = id == in.start && in.unit_neuron != nullptr;
    if (lambda_[static_cast<size_t>(id)] == nullptr && !unit_start) continue;
    const bool affine = plan_.node(id).kind == ir::NodeKind::kAffine;
    ESPALIER_RETURN_IF_ERROR(affine ? BackwardAffine(in, out, id) : BackwardActivation(in, out, id));
  }
  ESPALIER_RETURN_IF_ERROR(Finish(in, out));
  return backend.Synchronise();
}

template <class T>
absl::Status BackwardPass<T>::Step(const BackwardInput<T>& in, const BackwardOutput<T>& out,
                                   const backend::AdamStep* step) {
  auto& kernels = KernelsOf<T>(plan_.backend());
  const int64_t rows = in.rows.rows;
  // Nodes that the backward pass visited are those with coefficients; the same ones carry values now.
  std::vector<bool> visited(lambda_.size());
  for (size_t i = 0; i < lambda_.size(); ++i) visited[i] = lambda_[i] != nullptr;
  lambda_.assign(lambda_.size(), nullptr);
  lambda_[0] = out.corner;
  for (ir::NodeId id = 1; id < in.start; ++id) {
    if (!visited[static_cast<size_t>(id)]) continue;
    const PlanNode& node = plan_.node(id);
    if (node.kind == ir::NodeKind::kAffine) {
      ESPALIER_ASSIGN_OR_RETURN(T * values, Reserve(id, rows));
      kernels.FillRows(rows, node.size, node.device<T>().bias.data(), values);
      for (const PlanTerm& term : node.terms) {
        const T* source = lambda_[static_cast<size_t>(term.predecessor)];
        if (source == nullptr) return absl::InternalError("forward pass met a node without values");
        kernels.Forward(*term.map, rows, source, values, /*accumulate=*/true);
      }
      lambda_[static_cast<size_t>(id)] = values;
      continue;
    }
    T* values = lambda_[static_cast<size_t>(node.predecessor)];
    if (plan_.node(node.predecessor).consumers > 1) {
      ESPALIER_ASSIGN_OR_RETURN(T * copy, Reserve(id, rows));
      kernels.Fill(rows * node.size, T(0), copy);
      kernels.Add(rows * node.size, values, copy);
      values = copy;
    }
    const auto a = static_cast<size_t>(node.activation);
    backend::Learned<T> learned;
    if (in.slopes != nullptr) learned.slopes.alpha = in.slopes->alpha[a].data();
    if (in.slopes != nullptr && step != nullptr) {
      learned.slopes.first_moment = in.slopes->first[a].data();
      learned.slopes.second_moment = in.slopes->second[a].data();
    }
    learned.splits = SplitsOf(in, node.activation, step != nullptr);
    kernels.StepThroughLines(in.rows, in.relaxation->lines(node.activation), (*out.saved)[a].data(), learned,
                             step != nullptr ? *step : backend::AdamStep{}, values);
    lambda_[static_cast<size_t>(id)] = values;
  }
  return plan_.backend().Synchronise();
}

template <class T>
absl::Status BackwardPass<T>::StartValues(const BackwardInput<T>& in, T* values) {
  auto& kernels = KernelsOf<T>(plan_.backend());
  const PlanNode& node = plan_.node(in.start);
  kernels.FillRows(in.rows.rows, node.size, node.device<T>().bias.data(), values);
  for (const PlanTerm& term : node.terms) {
    const T* source = lambda_[static_cast<size_t>(term.predecessor)];
    if (source == nullptr) return absl::InternalError("no values to start from");
    kernels.Forward(*term.map, in.rows.rows, source, values, /*accumulate=*/true);
  }
  return plan_.backend().Synchronise();
}

template class BackwardPass<float>;
template class BackwardPass<double>;

}  // namespace espalier::bounds
