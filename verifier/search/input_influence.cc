#include "verifier/search/input_influence.h"

#include <cmath>

#include "verifier/backend/neuron_math.h"
#include "verifier/base/status.h"

namespace espalier::search {
namespace {

using backend::Buffer;

class WidthPass {
 public:
  WidthPass(const bounds::Plan& plan, const InfluenceQuery& query)
      : plan_(plan),
        query_(query),
        rows_(static_cast<int64_t>(query.domain.size())),
        values_(plan.nodes().size()),
        share_(query.domain.size(), 0.0) {}

  absl::StatusOr<std::vector<double>> Run();

 private:
  absl::Status Start();
  absl::Status Affine(size_t node);
  absl::Status Activation(size_t node);
  std::vector<float> Slopes(int activation) const;
  void Divide(int activation, const std::vector<float>& moved);

  const bounds::Plan& plan_;
  const InfluenceQuery& query_;
  int64_t rows_;
  std::vector<Buffer<float>> values_;  // per node: [rows][size], how far the row's input moves it
  std::vector<double> share_;
};

absl::Status WidthPass::Start() {
  const auto inputs = static_cast<size_t>(plan_.node(0).size);
  std::vector<float> width(query_.domain.size() * inputs, 0.0f);
  for (size_t r = 0; r < query_.domain.size(); ++r) {
    width[r * inputs + static_cast<size_t>(query_.input[r])] = query_.width[r];
  }
  ESPALIER_ASSIGN_OR_RETURN(values_[0], bounds::ToDevice<float>(plan_.backend(), width));
  return absl::OkStatus();
}

absl::Status WidthPass::Affine(size_t id) {
  const bounds::PlanNode& node = plan_.nodes()[id];
  auto& backend = plan_.backend();
  ESPALIER_ASSIGN_OR_RETURN(values_[id], backend::Allocate<float>(backend, rows_ * node.size));
  bool accumulate = false;
  for (const bounds::PlanTerm& term : node.terms) {
    backend.f32().Forward(*term.map, rows_, values_[static_cast<size_t>(term.predecessor)].data(),
                          values_[id].data(), accumulate);
    accumulate = true;
  }
  return absl::OkStatus();
}

// The slope each row takes through each neuron: its domain's chord.
std::vector<float> WidthPass::Slopes(int activation) const {
  const bounds::LayerBox& box = query_.layers->layers[static_cast<size_t>(activation)];
  const ir::HingeLayer& hinge = plan_.hinge(activation);
  const size_t n = hinge.left.size();
  std::vector<float> slopes(query_.domain.size() * n);
  for (size_t r = 0; r < query_.domain.size(); ++r) {
    const size_t base = static_cast<size_t>(query_.domain[r]) * n;
    if (r > 0 && query_.domain[r] == query_.domain[r - 1]) {
      std::copy_n(slopes.begin() + static_cast<int64_t>((r - 1) * n), n,
                  slopes.begin() + static_cast<int64_t>(r * n));
      continue;
    }
    for (size_t i = 0; i < n; ++i) {
      slopes[r * n + i] = static_cast<float>(
          backend::LinesOfHinge(hinge.left[i], hinge.right[i], box.lower[base + i], box.upper[base + i])
              .chord_slope);
    }
  }
  return slopes;
}

void WidthPass::Divide(int activation, const std::vector<float>& moved) {
  const std::vector<double>& looseness = query_.looseness[static_cast<size_t>(activation)];
  const size_t n = plan_.hinge(activation).left.size();
  for (size_t begin = 0, end = 0; begin < share_.size(); begin = end) {
    while (end < share_.size() && query_.domain[end] == query_.domain[begin]) ++end;
    const size_t base = static_cast<size_t>(query_.domain[begin]) * n;
    for (size_t i = 0; i < n; ++i) {
      if (!(looseness[base + i] > 0)) continue;
      double total = 0;
      for (size_t r = begin; r < end; ++r) total += std::fabs(moved[r * n + i]);
      if (!(total > 0) || !std::isfinite(total)) continue;
      for (size_t r = begin; r < end; ++r)
        share_[r] += looseness[base + i] * std::fabs(moved[r * n + i]) / total;
    }
  }
}

absl::Status WidthPass::Activation(size_t id) {
  const bounds::PlanNode& node = plan_.nodes()[id];
  auto& backend = plan_.backend();
  const auto count = static_cast<size_t>(rows_ * node.size);
  std::vector<float> moved(count);
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  const Buffer<float>& before = values_[static_cast<size_t>(node.predecessor)];
  backend.Download(before.data(), static_cast<int64_t>(count * sizeof(float)), moved.data());
  Divide(node.activation, moved);
  ESPALIER_ASSIGN_OR_RETURN(values_[id], bounds::ToDevice<float>(backend, Slopes(node.activation)));
  backend.f32().Multiply(rows_ * node.size, before.data(), values_[id].data());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> WidthPass::Run() {
  ESPALIER_RETURN_IF_ERROR(Start());
  const bounds::PlanNode& last = plan_.node(plan_.activations().empty() ? 0 : plan_.activations().back());
  for (size_t id = 1; id < plan_.nodes().size(); ++id) {
    const bounds::PlanNode& node = plan_.nodes()[id];
    ESPALIER_RETURN_IF_ERROR(node.kind == ir::NodeKind::kAffine ? Affine(id) : Activation(id));
    if (&node == &last) break;
  }
  ESPALIER_RETURN_IF_ERROR(plan_.backend().Synchronise());
  return std::move(share_);
}

}  // namespace

absl::StatusOr<std::vector<double>> InputInfluence(const bounds::Plan& plan, const InfluenceQuery& query) {
  return WidthPass(plan, query).Run();
}

}  // namespace espalier::search
