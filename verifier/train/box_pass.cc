#include "verifier/train/box_pass.h"

#include <algorithm>

#include "verifier/base/status.h"

namespace espalier::train {

using backend::Allocate;

absl::StatusOr<std::unique_ptr<BoxPass>> BoxPass::Make(const ir::Network& network, backend::Backend& backend,
                                                       std::vector<DeviceNode>& nodes, int64_t rows) {
  std::unique_ptr<BoxPass> pass(new BoxPass(backend, nodes, network.output));
  ESPALIER_RETURN_IF_ERROR(pass->Build(network, rows));
  return pass;
}

absl::Status BoxPass::Build(const ir::Network& network, int64_t rows) {
  int64_t largest = 1;
  for (const ir::NetworkNode& node : network.nodes) {
    Node& made = boxes_.emplace_back();
    largest = std::max(largest, node.size);
    ESPALIER_ASSIGN_OR_RETURN(made.radius, Allocate<float>(backend_, rows * node.size));
    ESPALIER_ASSIGN_OR_RETURN(made.gradient, Allocate<float>(backend_, rows * node.size));
    for (const DeviceTerm& term : Centre(static_cast<ir::NodeId>(boxes_.size()) - 1).terms) {
      const ir::LinearMapPtr& map = node.terms[made.terms.size()].map;
      AbsoluteTerm& absolute = made.terms.emplace_back();
      if (term.trained != nullptr) {
        ESPALIER_ASSIGN_OR_RETURN(absolute.trained, training_.MakeTrainable(*map));
      } else {
        ESPALIER_ASSIGN_OR_RETURN(absolute.prepared, backend_.PrepareAbs(map));
      }
    }
    if (node.kind != ir::NodeKind::kActivation) continue;
    ESPALIER_ASSIGN_OR_RETURN(made.slope, Allocate<float>(backend_, node.size));
    ESPALIER_ASSIGN_OR_RETURN(made.intercept, Allocate<float>(backend_, node.size));
  }
  ESPALIER_ASSIGN_OR_RETURN(scratch_, Allocate<float>(backend_, rows * largest));
  return backend_.Synchronise();
}

void BoxPass::StartForward(int64_t rows, float radius) {
  backend_.f32().Fill(rows * Centre(0).size, radius, At(0).radius.data());
  for (size_t id = 0; id < boxes_.size(); ++id) {
    for (size_t t = 0; t < boxes_[id].terms.size(); ++t) {
      const AbsoluteTerm& absolute = boxes_[id].terms[t];
      if (absolute.trained == nullptr) continue;
      training_.Absolute(absolute.trained->weight_count(), nodes_[id].terms[t].trained->weights(),
                         absolute.trained->weights());
      training_.WeightsChanged(*absolute.trained);
    }
  }
}

void BoxPass::ForwardAffine(int64_t rows, ir::NodeId id) {
  Node& node = At(id);
  const DeviceNode& centre = Centre(id);
  float* y = node.radius.data();
  bool written = false;
  for (size_t t = 0; t < node.terms.size(); ++t) {
    const AbsoluteTerm& absolute = node.terms[t];
    const float* x = At(centre.terms[t].predecessor).radius.data();
    if (absolute.prepared != nullptr) {
      backend_.f32().Forward(*absolute.prepared, rows, x, y, written);
    } else {
      float* target = written ? scratch_.data() : y;
      training_.Forward(*absolute.trained, rows, x, target);
      if (written) backend_.f32().Add(rows * centre.size, target, y);
    }
    written = true;
  }
  if (!written) backend_.f32().Fill(rows * centre.size, 0.0f, y);
}

void BoxPass::ForwardHinge(int64_t rows, ir::NodeId id, const float* z) {
  const DeviceNode& centre = Centre(id);
  // The primitive reads `from` only.
  const backend::BoxRows from{const_cast<float*>(z), At(centre.predecessor).radius.data()};
  training_.BoxHingeForward(rows, centre.size,
                            {centre.left.value(), centre.right.value(), centre.intercept.value()}, from,
                            {centre.value.data(), At(id).radius.data()});
}

void BoxPass::StartBackward(int64_t rows) {
  for (size_t id = 0; id < boxes_.size(); ++id) {
    if (static_cast<ir::NodeId>(id) == output_) continue;
    backend_.f32().Fill(rows * nodes_[id].size, 0.0f, boxes_[id].gradient.data());
  }
}

void BoxPass::BackwardAffine(int64_t rows, ir::NodeId id) {
  Node& node = At(id);
  const DeviceNode& centre = Centre(id);
  const float* g = node.gradient.data();
  for (size_t t = 0; t < node.terms.size(); ++t) {
    const AbsoluteTerm& absolute = node.terms[t];
    const DeviceTerm& term = centre.terms[t];
    Node& to = At(term.predecessor);
    if (absolute.trained != nullptr) {
      training_.WeightGradient(*absolute.trained, rows, to.radius.data(), g);
      training_.AddSigned(absolute.trained->weight_count(), term.trained->weights(),
                          absolute.trained->gradient(), term.trained->gradient());
    }
    if (term.predecessor == 0) continue;  // the input's radius is given
    if (absolute.prepared != nullptr) {
      backend_.f32().Backward(*absolute.prepared, rows, g, to.gradient.data(), /*accumulate=*/true);
    } else {
      training_.Backward(*absolute.trained, rows, g, scratch_.data());
      backend_.f32().Add(rows * Centre(term.predecessor).size, scratch_.data(), to.gradient.data());
    }
  }
}

void BoxPass::BackwardHinge(int64_t rows, ir::NodeId id, const float* z, float* g) {
  const DeviceNode& centre = Centre(id);
  Node& node = At(id);
  Node& argument = At(centre.predecessor);
  if (centre.trains_lines) {
    // The image of a line has radius |slope| times its argument's.
    training_.LineGradient(rows, centre.size, argument.radius.data(), node.gradient.data(),
                           {centre.mask.data(), node.slope.data(), node.intercept.data()});
    training_.AddSigned(centre.size, centre.right.value(), node.slope.data(), centre.right.gradient());
  }
  const backend::BoxRows from{const_cast<float*>(z), argument.radius.data()};
  training_.BoxHingeBackward(rows, centre.size, {centre.left.value(), centre.right.value(), nullptr}, from,
                             {g, node.gradient.data()});
  backend_.f32().Add(rows * centre.size, node.gradient.data(), argument.gradient.data());
}

}  // namespace espalier::train
