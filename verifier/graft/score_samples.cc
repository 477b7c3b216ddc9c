#include "verifier/graft/score_samples.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace espalier::graft {

absl::StatusOr<SampleReader> SampleReader::Make(const ir::Network& network, const Dataset& data,
                                                const std::vector<int64_t>& order, int64_t samples) {
  if (data.sample_size() != network.input_size()) {
    return absl::InvalidArgumentError(absl::StrCat("samples of shape ", ShapeToString(data.shape), " have ",
                                                   data.sample_size(), " values, the network reads ",
                                                   network.input_size()));
  }
  SampleReader reader;
  reader.network_ = &network;
  reader.data_ = &data;
  reader.order_ = &order;
  reader.count_ = std::min(samples, static_cast<int64_t>(order.size()));
  if (reader.count_ <= 0) return absl::InvalidArgumentError("no samples to look at");
  for (int64_t s = 0; s < reader.count_; ++s) {
    if (reader.Index(s) < 0 || reader.Index(s) >= data.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("sample ", reader.Index(s), " of a data set of ", data.size()));
    }
    if (reader.label(s) < 0 || reader.label(s) >= network.output_size()) {
      return absl::InvalidArgumentError(absl::StrCat("sample ", reader.Index(s), " has label ",
                                                     reader.label(s), ", the network has ",
                                                     network.output_size(), " outputs"));
    }
  }
  return reader;
}

std::vector<float> SampleReader::Rows(int64_t begin, int64_t end) const {
  const auto n = static_cast<size_t>(network_->input_size());
  std::vector<float> onnx(n), rows;
  rows.reserve(static_cast<size_t>(end - begin) * n);
  for (int64_t s = begin; s < end; ++s) {
    data_->CopySample(Index(s), onnx.data());
    for (int64_t element : network_->input_order) rows.push_back(onnx[static_cast<size_t>(element)]);
  }
  return rows;
}

void ForwardAffine(const bounds::Plan& plan, ir::NodeId id, int64_t rows,
                   const std::vector<const float*>& predecessor_values, float* values) {
  const bounds::PlanNode& node = plan.node(id);
  auto& kernels = plan.backend().f32();
  kernels.FillRows(rows, node.size, node.f32.bias.data(), values);
  for (const bounds::PlanTerm& term : node.terms) {
    kernels.Forward(*term.map, rows, predecessor_values[static_cast<size_t>(term.predecessor)], values,
                    /*accumulate=*/true);
  }
}

std::vector<size_t> ActivationNodes(const ir::Network& network) {
  std::vector<size_t> nodes;
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    if (network.nodes[i].kind == ir::NodeKind::kActivation) nodes.push_back(i);
  }
  return nodes;
}

}  // namespace espalier::graft
