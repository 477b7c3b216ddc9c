#include "verifier/graft/score_points.h"

#include <algorithm>
#include <cmath>

#include "verifier/base/status.h"
#include "verifier/graft/score_samples.h"

namespace espalier::graft {
namespace {

void Download(backend::Backend& backend, const backend::Buffer<float>& from, int64_t count,
              std::vector<float>& to) {
  to.resize(static_cast<size_t>(count));
  backend.Download(from.data(), count * static_cast<int64_t>(sizeof(float)), to.data());
}

}  // namespace

absl::Status PointPass::Reserve(int64_t rows) {
  if (rows <= reserved_rows_) return absl::OkStatus();
  reserved_rows_ = 0;
  auto& backend = plan_.backend();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const bounds::PlanNode& node = plan_.nodes()[i];
    nodes_[i] = {};
    ESPALIER_ASSIGN_OR_RETURN(nodes_[i].values, backend::Allocate<float>(backend, rows * node.size));
    ESPALIER_ASSIGN_OR_RETURN(nodes_[i].gradient, backend::Allocate<float>(backend, rows * node.size));
    if (node.kind != ir::NodeKind::kActivation) continue;
    ESPALIER_ASSIGN_OR_RETURN(nodes_[i].slopes, backend::Allocate<float>(backend, rows * node.size));
  }
  reserved_rows_ = rows;
  return absl::OkStatus();
}

absl::Status PointPass::Forward(int64_t rows, const std::vector<float>& x, PointValues& values) {
  ESPALIER_RETURN_IF_ERROR(Reserve(rows));
  auto& backend = plan_.backend();
  auto& kernels = backend.f32();
  backend.Upload(x.data(), static_cast<int64_t>(x.size() * sizeof(float)), nodes_[0].values.data());
  std::vector<const float*> at;
  for (const Node& node : nodes_) at.push_back(node.values.data());
  for (size_t i = 1; i < nodes_.size(); ++i) {
    const bounds::PlanNode& node = plan_.nodes()[i];
    float* out = nodes_[i].values.data();
    if (node.kind == ir::NodeKind::kAffine) {
      ForwardAffine(plan_, static_cast<ir::NodeId>(i), rows, at, out);
      continue;
    }
    kernels.Fill(rows * node.size, 0.0F, out);
    kernels.Add(rows * node.size, at[static_cast<size_t>(node.predecessor)], out);
    kernels.Hinge(rows, node.size, {node.f32.left.data(), node.f32.right.data(), node.f32.intercept.data()},
                  out, nodes_[i].slopes.data());
  }
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  values.pre_activations.resize(plan_.activations().size());
  for (size_t a = 0; a < plan_.activations().size(); ++a) {
    const bounds::PlanNode& node = plan_.node(plan_.activations()[a]);
    Download(backend, nodes_[static_cast<size_t>(node.predecessor)].values, rows * node.size,
             values.pre_activations[a]);
  }
  const ir::NodeId output = plan_.network().output;
  Download(backend, nodes_[static_cast<size_t>(output)].values, rows * plan_.node(output).size,
           values.outputs);
  return absl::OkStatus();
}

void PointPass::BackwardNode(int64_t rows, ir::NodeId id) {
  auto& kernels = plan_.backend().f32();
  const bounds::PlanNode& node = plan_.node(id);
  Node& here = nodes_[static_cast<size_t>(id)];
  if (node.kind == ir::NodeKind::kAffine) {
    for (const bounds::PlanTerm& term : node.terms) {
      Node& to = nodes_[static_cast<size_t>(term.predecessor)];
      kernels.Backward(*term.map, rows, here.gradient.data(), to.gradient.data(), to.reached);
      to.reached = true;
    }
    return;
  }
  const int64_t count = rows * node.size;
  kernels.Fill(count, 0.0F, here.values.data());
  kernels.Add(count, here.gradient.data(), here.values.data());
  kernels.Multiply(count, here.slopes.data(), here.values.data());
  Node& to = nodes_[static_cast<size_t>(node.predecessor)];
  if (!to.reached) kernels.Fill(count, 0.0F, to.gradient.data());
  kernels.Add(count, here.values.data(), to.gradient.data());
  to.reached = true;
}

absl::Status PointPass::Backward(int64_t rows, const std::vector<float>& output_gradient,
                                 PointGradients& gradients) {
  auto& backend = plan_.backend();
  for (Node& node : nodes_) node.reached = false;
  Node& output = nodes_[static_cast<size_t>(plan_.network().output)];
  backend.Upload(output_gradient.data(), static_cast<int64_t>(output_gradient.size() * sizeof(float)),
                 output.gradient.data());
  output.reached = true;
  for (size_t i = nodes_.size() - 1; i > 0; --i) {
    if (nodes_[i].reached) BackwardNode(rows, static_cast<ir::NodeId>(i));
  }
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  gradients.by_value.resize(plan_.activations().size());
  gradients.by_argument.resize(plan_.activations().size());
  for (size_t a = 0; a < plan_.activations().size(); ++a) {
    const ir::NodeId id = plan_.activations()[a];
    const Node& node = nodes_[static_cast<size_t>(id)];
    const int64_t count = rows * plan_.node(id).size;
    if (node.reached) {
      Download(backend, node.gradient, count, gradients.by_value[a]);
      Download(backend, node.values, count, gradients.by_argument[a]);
    } else {
      gradients.by_value[a].assign(static_cast<size_t>(count), 0);
      gradients.by_argument[a].assign(static_cast<size_t>(count), 0);
    }
  }
  return absl::OkStatus();
}

std::vector<float> CrossEntropyGradient(const std::vector<float>& outputs,
                                        const std::vector<int32_t>& labels) {
  const size_t classes = outputs.size() / labels.size();
  std::vector<float> gradient(outputs.size());
  for (size_t r = 0; r < labels.size(); ++r) {
    const float* row = outputs.data() + r * classes;
    const auto largest = static_cast<double>(*std::max_element(row, row + classes));
    double sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(row[c]) - largest);
    for (size_t c = 0; c < classes; ++c) {
      const double share = std::exp(static_cast<double>(row[c]) - largest) / sum;
      const double target = c == static_cast<size_t>(labels[r]) ? 1 : 0;
      gradient[r * classes + c] = static_cast<float>(share - target);
    }
  }
  return gradient;
}

}  // namespace espalier::graft
