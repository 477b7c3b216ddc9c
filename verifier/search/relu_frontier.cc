// ReluBab's side of a checkpoint: what is open, as sides of neurons, and back.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "verifier/search/relu_bab.h"

namespace espalier::search {
namespace {

uint32_t LiteralOf(const Run& run, const SharedRoot& root, const Split& split) {
  return static_cast<uint32_t>(2 * root.NeuronOf(run.plan, split.layer, split.unstable) +
                               (split.sign > 0 ? 1 : 0));
}

int LayerOf(const bounds::Plan& plan, int64_t neuron) {
  int layer = 0;
  while (layer + 1 < static_cast<int>(plan.activations().size()) &&
         plan.activation_begin(layer + 1) <= neuron)
    ++layer;
  return layer;
}

// The literal as a split of one of the root's unstable neurons, if it is one. `empty`: the root's bounds,
// which are certified, leave nothing on that side.
std::optional<Split> SplitOf(const Run& run, const SharedRoot& root, uint32_t literal, bool& empty) {
  const int layer = LayerOf(run.plan, literal / 2);
  const auto neuron = static_cast<int32_t>(literal / 2 - run.plan.activation_begin(layer));
  const int8_t sign = (literal & 1) != 0 ? 1 : -1;
  const std::vector<int32_t>& unstable = root.relaxation64.unstable(layer);
  const auto found = std::lower_bound(unstable.begin(), unstable.end(), neuron);
  if (found != unstable.end() && *found == neuron) {
    return Split{static_cast<int16_t>(layer), sign, static_cast<int32_t>(found - unstable.begin()), 0.0f};
  }
  const bounds::LayerBox& box = root.bounds.layers[static_cast<size_t>(layer)];
  const auto i = static_cast<size_t>(neuron);
  if (sign > 0 ? box.upper[i] < 0 : box.lower[i] > 0) empty = true;
  return std::nullopt;
}

}  // namespace

void AppendTo(const Run& run, const SharedRoot& root, const Domain& domain, SplitParts& parts) {
  for (const Split& split : domain.splits) parts.literals.push_back(LiteralOf(run, root, split));
  parts.Close(domain.bound);
}

void ReluBab::SetInFlight(const std::vector<Domain>& domains) {
  settled_ = 0;
  flying_ = domains.size();
  if (in_flight_.size() < flying_) in_flight_.resize(flying_);
  for (size_t d = 0; d < flying_; ++d) {
    in_flight_[d].target = domains[d].target;
    in_flight_[d].bound = domains[d].bound;
    in_flight_[d].splits.assign(domains[d].splits.begin(), domains[d].splits.end());
  }
}

std::vector<Domain> ReluBab::TakeRestored(std::vector<Domain>& popped) {
  std::vector<Domain> taken;
  for (Domain& domain : popped) {
    if (!domain.restored) continue;
    taken.push_back(std::move(domain));
    taken.back().restored = false;
    taken.back().bound = -std::numeric_limits<double>::infinity();
    domain.restored = true;
  }
  std::erase_if(popped, [](const Domain& domain) { return domain.restored; });
  return taken;
}

void ReluBab::Restore(const SplitParts& parts, const Domain& start) {
  int64_t& open = open_of_target_[static_cast<size_t>(start.target)];
  for (size_t d = 0; d < parts.count(); ++d) {
    Domain domain;
    domain.target = start.target;
    domain.weights = start.weights;
    domain.bound = std::min(0.0, static_cast<double>(parts.bound[d]));
    domain.restored = true;
    bool empty = false;
    for (uint64_t k = parts.begin(d); k < parts.end[d]; ++k) {
      const std::optional<Split> split = SplitOf(run_, root_, parts.literals[k], empty);
      if (split.has_value()) domain.splits.push_back(*split);
    }
    if (empty) continue;
    ++open;
    queue_.Push(std::move(domain));
  }
  if (open == 0 && !part_) run_.Refute(static_cast<size_t>(start.target));
}

void ReluBab::Save(std::map<int32_t, SplitParts>& open) const {
  const auto save = [&](const Domain& domain) {
    if (!run_.refuted(static_cast<size_t>(domain.target))) AppendTo(run_, root_, domain, open[domain.target]);
  };
  queue_.ForEach(save);
  for (size_t k = settled_; k < flying_; ++k) save(in_flight_[k]);
  for (const Domain& domain : given_up_) save(domain);
}

}  // namespace espalier::search
