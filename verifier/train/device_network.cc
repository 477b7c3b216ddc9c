#include "verifier/train/device_network.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/train/box_pass.h"
#include "verifier/train/device_node.h"

namespace espalier::train {

struct DeviceNetwork::Impl {
  Impl(const ir::Network& host, backend::Backend& device)
      : network(host), backend(device), training(device.training()), kernels(device.f32()) {}

  ir::Network network;  // as it was given; the trained arrays are on the device
  backend::Backend& backend;
  backend::Training& training;
  backend::Kernels<float>& kernels;
  std::vector<DeviceNode> nodes;
  backend::Buffer<float> scratch;  // [rows][largest node]
  const float* input = nullptr;    // of the last Forward
  std::unique_ptr<BoxPass> box;    // null: not wanted
  backend::Buffer<float> worst;    // [rows][classes]
  const float* logits = nullptr;

  // Of one Backward: where each node's gradient stands, null while nothing has reached it.
  std::vector<float*> gradient;

  DeviceNode& At(ir::NodeId id) { return nodes[static_cast<size_t>(id)]; }
  const float* Value(ir::NodeId id) { return id == 0 ? input : At(id).value.data(); }

  absl::Status Build(int64_t rows, bool boxes);
  void ForwardAffine(int64_t rows, DeviceNode& node);
  void ParameterGradients(int64_t rows, DeviceNode& node, const float* g);
  void BackwardAffine(int64_t rows, DeviceNode& node, const float* g, const Wanted& wanted);
  void BackwardActivation(int64_t rows, ir::NodeId id, float* g, const Wanted& wanted);
  void Backward(int64_t rows, float* logit_gradient, const Wanted& wanted);
  void Propagate(int64_t rows, const DeviceTerm& term, const float* g);
};

absl::Status DeviceNetwork::Impl::Build(int64_t rows, bool boxes) {
  int64_t largest = 1;
  bool trains = false;
  for (const ir::NetworkNode& node : network.nodes) {
    ESPALIER_ASSIGN_OR_RETURN(DeviceNode made, MakeDeviceNode(node, backend, rows));
    for (const DeviceTerm& term : made.terms) ++At(term.predecessor).consumers;
    if (made.kind == ir::NodeKind::kActivation) ++At(made.predecessor).consumers;
    largest = std::max(largest, made.size);
    trains = trains || made.trains_bias;
    nodes.push_back(std::move(made));
  }
  if (!trains) {
    return absl::UnimplementedError("this network has no dense layer and no convolution to train");
  }
  ESPALIER_ASSIGN_OR_RETURN(scratch, backend::Allocate<float>(backend, rows * largest));
  if (boxes) {
    ESPALIER_ASSIGN_OR_RETURN(box, BoxPass::Make(network, backend, nodes, rows));
    ESPALIER_ASSIGN_OR_RETURN(worst, backend::Allocate<float>(backend, rows * network.output_size()));
  }
  return backend.Synchronise();
}

void DeviceNetwork::Impl::ForwardAffine(int64_t rows, DeviceNode& node) {
  float* y = node.value.data();
  bool written = false;
  for (DeviceTerm& term : node.terms) {
    const float* x = Value(term.predecessor);
    if (term.prepared != nullptr) {
      kernels.Forward(*term.prepared, rows, x, y, written);
    } else {
      float* target = written ? scratch.data() : y;
      training.Forward(*term.trained, rows, x, target);
      if (written) kernels.Add(rows * node.size, target, y);
    }
    written = true;
  }
  if (!written) kernels.Fill(rows * node.size, 0.0f, y);
  if (node.trains_bias) {
    training.AddRows(rows * node.positions(), node.bias.size(), node.bias.value(), y);
  }
  if (node.has_fixed_bias) training.AddRows(rows, node.size, node.fixed_bias.data(), y);
}

void DeviceNetwork::Impl::ParameterGradients(int64_t rows, DeviceNode& node, const float* g) {
  if (node.trains_bias) {
    training.ColumnSums(rows * node.positions(), node.bias.size(), g, node.bias.gradient());
  }
  for (DeviceTerm& term : node.terms) {
    if (term.trained != nullptr) training.WeightGradient(*term.trained, rows, Value(term.predecessor), g);
  }
}

// Adds g W to the predecessor's gradient.
void DeviceNetwork::Impl::Propagate(int64_t rows, const DeviceTerm& term, const float* g) {
  DeviceNode& to = At(term.predecessor);
  float*& there = gradient[static_cast<size_t>(term.predecessor)];
  const bool first = there == nullptr;
  if (first) there = to.gradient.data();
  if (term.prepared != nullptr) {
    kernels.Backward(*term.prepared, rows, g, there, !first);
    return;
  }
  training.Backward(*term.trained, rows, g, first ? there : scratch.data());
  if (!first) kernels.Add(rows * to.size, scratch.data(), there);
}

void DeviceNetwork::Impl::BackwardAffine(int64_t rows, DeviceNode& node, const float* g,
                                         const Wanted& wanted) {
  if (wanted.weights) ParameterGradients(rows, node, g);
  for (const DeviceTerm& term : node.terms) {
    if (term.predecessor != 0 || wanted.input) Propagate(rows, term, g);
  }
}

// The gradient in front of an activation takes the place of the one behind it, unless the argument has other
// readers.
void DeviceNetwork::Impl::BackwardActivation(int64_t rows, ir::NodeId id, float* g, const Wanted& wanted) {
  DeviceNode& node = At(id);
  const float* z = Value(node.predecessor);
  if (wanted.weights && node.trains_lines) {
    training.LineGradient(rows, node.size, z, g,
                          {node.mask.data(), node.right.gradient(), node.intercept.gradient()});
  }
  if (wanted.boxes) {
    box->BackwardHinge(rows, id, z, g);
  } else {
    training.HingeBackward(rows, node.size, {node.left.value(), node.right.value(), nullptr}, z, g);
  }
  float*& there = gradient[static_cast<size_t>(node.predecessor)];
  DeviceNode& argument = At(node.predecessor);
  if (argument.consumers == 1) {
    there = g;
    return;
  }
  if (there == nullptr) {
    there = argument.gradient.data();
    kernels.Fill(rows * node.size, 0.0f, there);
  }
  kernels.Add(rows * node.size, g, there);
}

DeviceNetwork::DeviceNetwork(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DeviceNetwork::~DeviceNetwork() = default;

absl::StatusOr<std::unique_ptr<DeviceNetwork>> DeviceNetwork::Make(const ir::Network& network,
                                                                   backend::Backend& backend, int64_t rows,
                                                                   bool boxes) {
  auto impl = std::make_unique<Impl>(network, backend);
  ESPALIER_RETURN_IF_ERROR(impl->Build(rows, boxes));
  return std::unique_ptr<DeviceNetwork>(new DeviceNetwork(std::move(impl)));
}

int64_t DeviceNetwork::classes() const {
  return impl_->network.output_size();
}

const float* DeviceNetwork::logits() const {
  return impl_->logits;
}

const float* DeviceNetwork::input_gradient() const {
  return impl_->nodes.front().gradient.data();
}

void DeviceNetwork::Forward(int64_t rows, const float* x) {
  impl_->input = x;
  for (size_t id = 1; id < impl_->nodes.size(); ++id) {
    DeviceNode& node = impl_->nodes[id];
    if (node.kind == ir::NodeKind::kAffine) {
      impl_->ForwardAffine(rows, node);
    } else {
      impl_->training.HingeForward(rows, node.size,
                                   {node.left.value(), node.right.value(), node.intercept.value()},
                                   impl_->Value(node.predecessor), node.value.data());
    }
  }
  impl_->logits = impl_->At(impl_->network.output).value.data();
}

void DeviceNetwork::ForwardBox(int64_t rows, const float* x, float radius, const int32_t* label) {
  BoxPass& box = *impl_->box;
  impl_->input = x;
  box.StartForward(rows, radius);
  for (ir::NodeId id = 1; id < static_cast<ir::NodeId>(impl_->nodes.size()); ++id) {
    DeviceNode& node = impl_->At(id);
    if (node.kind == ir::NodeKind::kAffine) {
      impl_->ForwardAffine(rows, node);
      box.ForwardAffine(rows, id);
    } else {
      box.ForwardHinge(rows, id, impl_->Value(node.predecessor));
    }
  }
  impl_->training.WorstLogits(rows, classes(), label,
                              {impl_->At(impl_->network.output).value.data(), box.output_radius()},
                              impl_->worst.data());
  impl_->logits = impl_->worst.data();
}

void DeviceNetwork::Impl::Backward(int64_t rows, float* logit_gradient, const Wanted& wanted) {
  gradient.assign(nodes.size(), nullptr);
  gradient[static_cast<size_t>(network.output)] = logit_gradient;
  for (size_t id = nodes.size(); id-- > 1;) {
    float* g = gradient[id];
    if (g == nullptr) continue;  // nothing behind it reads the node
    const auto node_id = static_cast<ir::NodeId>(id);
    if (nodes[id].kind == ir::NodeKind::kActivation) {
      BackwardActivation(rows, node_id, g, wanted);
      continue;
    }
    BackwardAffine(rows, nodes[id], g, wanted);
    if (wanted.boxes) box->BackwardAffine(rows, node_id);
  }
}

void DeviceNetwork::Backward(int64_t rows, float* logit_gradient, const Wanted& wanted) {
  impl_->Backward(rows, logit_gradient, wanted);
}

void DeviceNetwork::BackwardBox(int64_t rows, float* logit_gradient, const int32_t* label) {
  impl_->training.WorstLogits(rows, classes(), label, {nullptr, logit_gradient},
                              impl_->box->output_gradient());
  impl_->box->StartBackward(rows);
  impl_->Backward(rows, logit_gradient, {.weights = true, .input = false, .boxes = true});
}

void DeviceNetwork::Descend(const StepRates& rates) {
  for (DeviceNode& node : impl_->nodes) {
    for (DeviceTerm& term : node.terms) {
      if (term.trained == nullptr) continue;
      impl_->training.Descend(term.trained->weight_count(), rates.weights, term.trained->gradient(),
                              term.velocity.data(), term.trained->weights());
      impl_->training.WeightsChanged(*term.trained);
    }
    if (node.trains_bias) node.bias.Descend(impl_->training, rates.weights);
    if (!node.trains_lines) continue;
    // Both slopes of a line take the same steps: equal start, equal gradient, equal velocity.
    impl_->training.Descend(node.size, rates.lines, node.right.gradient(), node.left.velocity(),
                            node.left.value());
    node.right.Descend(impl_->training, rates.lines);
    node.intercept.Descend(impl_->training, rates.lines);
  }
}

ir::Network DeviceNetwork::ToNetwork() const {
  ir::Network trained = impl_->network;
  for (size_t id = 0; id < trained.nodes.size(); ++id) {
    WriteTrained(impl_->nodes[id], impl_->backend, trained.nodes[id]);
  }
  return trained;
}

std::vector<ParameterState> DeviceNetwork::State() const {
  std::vector<ParameterState> state;
  for (size_t id = 0; id < impl_->nodes.size(); ++id) {
    VisitParameters(impl_->nodes[id], [&](const std::string& suffix, const float* value,
                                          const float* velocity, int64_t size) {
      state.push_back({absl::StrCat("n", id, ".", suffix), Download(impl_->backend, value, size),
                       Download(impl_->backend, velocity, size)});
    });
  }
  return state;
}

absl::Status DeviceNetwork::Restore(const std::vector<ParameterState>& state) {
  size_t next = 0;
  absl::Status status;
  for (size_t id = 0; id < impl_->nodes.size(); ++id) {
    VisitParameters(
        impl_->nodes[id], [&](const std::string& suffix, float* value, float* velocity, int64_t size) {
          const std::string name = absl::StrCat("n", id, ".", suffix);
          const auto n = static_cast<size_t>(size);
          if (!status.ok()) return;
          if (next >= state.size() || state[next].name != name || state[next].value.size() != n ||
              state[next].velocity.size() != n) {
            status = absl::InvalidArgumentError(
                absl::StrCat("the checkpoint does not fit: expected '", name, "' with ", size, " values"));
            return;
          }
          impl_->backend.Upload(state[next].value.data(), size * 4, value);
          impl_->backend.Upload(state[next].velocity.data(), size * 4, velocity);
          ++next;
        });
    for (DeviceTerm& term : impl_->nodes[id].terms) {
      if (term.trained != nullptr) impl_->training.WeightsChanged(*term.trained);
    }
  }
  if (status.ok() && next != state.size()) {
    status = absl::InvalidArgumentError("the checkpoint holds arrays that this network does not have");
  }
  return status;
}

}  // namespace espalier::train
