#include "verifier/bounds/row_network.h"

#include <algorithm>
#include <utility>

#include "verifier/backend/compact_rows.h"
#include "verifier/base/status.h"
#include "verifier/bounds/compact.h"

namespace espalier::bounds {

void RowNetwork::Take(LeftNetwork left) {
  left_ = std::move(left);
  first_ = {0};
  for (const std::vector<int32_t>& neurons : left_.unstable) {
    first_.push_back(first_.back() + static_cast<int32_t>(neurons.size()));
  }
}

int RowNetwork::activation_of(int32_t unstable) const {
  return static_cast<int>(std::upper_bound(first_.begin(), first_.end(), unstable) - first_.begin()) - 1;
}

absl::Status RowNetwork::Use(const backend::CompactNetwork& network) {
  auto& backend = plan_.backend();
  bounder_.reset();
  certifier_.reset();
  ESPALIER_ASSIGN_OR_RETURN(bounder_, backend.MakeCompact(network));
  auto certifier = backend.MakeCompactCertifier(network);
  if (!certifier.ok() && !absl::IsUnimplemented(certifier.status())) return certifier.status();
  if (certifier.ok()) certifier_ = *std::move(certifier);
  stages_ = backend::WithoutRows(network).stages;
  stage_.assign(left_.unstable.size(), -1);
  int activation = 0;
  for (size_t s = 0; s < stages_.size(); ++s) {
    if (stages_[s].source.empty() || !stages_[s].cut_of.empty()) continue;
    while (!HasRows(activation)) ++activation;
    stage_[static_cast<size_t>(activation++)] = static_cast<int32_t>(s);
  }
  listed_ = activation;
  return absl::OkStatus();
}

absl::Status RowNetwork::List() {
  if (bounder_ != nullptr) return absl::OkStatus();
  left_.network.consumers = backend::ConsumersOf(left_.network);
  return Use(left_.network);
}

int RowNetwork::NextWithRows(int activation) const {
  const int count = static_cast<int>(left_.unstable.size());
  for (int a = activation + 1; a < count; ++a) {
    if (HasRows(a)) return a;
  }
  return activation;
}

absl::Status RowNetwork::AddCuts(int activation, const CutPoints& points, const std::vector<LayerBox>& layers,
                                 bool anew) {
  if (anew || !cuts_.has_value()) cuts_.emplace(left_.network);
  cuts_->Know(RangesOfUnstable(layers, left_.unstable), first(activation));
  const int last = anew ? NextWithRows(activation) : activation;
  if (!cuts_->Place(points) && last < listed_) return absl::OkStatus();
  CutNetwork cut = cuts_->Make(CutNumbers::kInPlace, first(last + 1));
  slot_of_ = std::move(cut.slot_of);
  neuron_of_ = std::move(cut.neuron_of);
  unnumbered_.assign(static_cast<size_t>(cut.network.unstable()), -1);
  for (size_t u = 0; u < neuron_of_.size() && neuron_of_[u] >= 0; ++u)
    unnumbered_[static_cast<size_t>(neuron_of_[u])] = static_cast<int32_t>(u);
  cut.network.consumers = backend::ConsumersOf(cut.network);
  return Use(cut.network);
}

void RowNetwork::SetLines(int activation, const LayerBox& box) {
  backend::CompactLines lines;
  for (const int32_t i : unstable(activation)) {
    AppendCompactLine(plan_.hinge(activation), box, static_cast<size_t>(i), lines);
  }
  backend::ReplaceLines(first(activation), lines, left_.network.lines);
  if (bounder_ == nullptr) return;
  bounder_->SetLines(Number(first(activation)), lines);
  if (certifier_ != nullptr) certifier_->SetLines(Number(first(activation)), lines);
}

int32_t RowNetwork::Unnumbered(int32_t number) const {
  return unnumbered_.empty() ? number : unnumbered_[static_cast<size_t>(number)];
}

int32_t RowNetwork::NumbersBefore(int activation) const {
  const int32_t start = StartStage(activation);
  int32_t count = 0;
  for (int32_t s = 0; s < start; ++s) {
    count += static_cast<int32_t>(stages_[static_cast<size_t>(s)].source.size());
  }
  return count;
}

int32_t RowNetwork::StartStage(int activation) const {
  return Stage(activation).source_stage;
}

int32_t RowNetwork::RowOf(int activation, size_t j) const {
  const backend::CompactStage& stage = Stage(activation);
  return stage.source[j] - stages_[static_cast<size_t>(stage.source_stage)].begin;
}

}  // namespace espalier::bounds
