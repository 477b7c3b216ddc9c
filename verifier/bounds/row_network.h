// What rows of inner layers are bounded on while bounds are refined (refine.cc): the network that is left,
// with or without cuts, and what the device makes of it.
//
// Numbers of unstable neurons are those of the network without cuts wherever nothing else is said; Number()
// says how the device counts them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "verifier/backend/compact.h"
#include "verifier/backend/compact_certifier.h"
#include "verifier/bounds/compact_narrow.h"
#include "verifier/bounds/cut_points.h"
#include "verifier/bounds/cuts.h"
#include "verifier/bounds/plan.h"

namespace espalier::bounds {

// Not to be moved: parts refer to one another.
class RowNetwork {
 public:
  explicit RowNetwork(const Plan& plan) : plan_(plan) {}
  RowNetwork(const RowNetwork&) = delete;
  RowNetwork& operator=(const RowNetwork&) = delete;

  void Take(LeftNetwork left);
  // Has the device list the network, unless it has. UNIMPLEMENTED, RESOURCE_EXHAUSTED: it does not.
  absl::Status List();
  // Gives cuts that are low at the points to the neurons of activations before this one, whose bounds are as
  // in `layers` and stay so. `anew`: to all of them, otherwise to those that have not been asked for yet. For
  // devices that certify rows with cuts. When there are new ones, the device lists the network again as far
  // as rows of this activation reach; anew, as far as those of the next one do, which are bounded with these
  // cuts first.
  absl::Status AddCuts(int activation, const CutPoints& points, const std::vector<LayerBox>& layers,
                       bool anew);
  bool HasCut(size_t unstable) const { return cuts_.has_value() && cuts_->HasPlane(unstable); }
  // The activation's bounds are `box` from now on.
  void SetLines(int activation, const LayerBox& box);

  const backend::CompactNetwork& network() const { return left_.network; }
  const std::vector<std::vector<int32_t>>& unstable() const { return left_.unstable; }
  const std::vector<int32_t>& unstable(int activation) const {
    return left_.unstable[static_cast<size_t>(activation)];
  }
  // The first unstable neuron of an activation, and behind the last.
  int32_t first(int activation) const { return first_[static_cast<size_t>(activation)]; }
  int activation_of(int32_t unstable) const;
  bool HasRows(int activation) const { return !unstable(activation).empty(); }

  // On the device: once it has listed the network.
  int32_t Number(int32_t unstable) const {
    return neuron_of_.empty() ? unstable : neuron_of_[static_cast<size_t>(unstable)];
  }
  int32_t Unnumbered(int32_t number) const;  // -1: a cut's
  // Neurons before the activation's.
  int32_t NumbersBefore(int activation) const;
  int32_t StartStage(int activation) const;
  // The row of the start stage that the neuron takes.
  int32_t RowOf(int activation, size_t j) const;
  backend::CompactBounder& bounder() { return *bounder_; }
  backend::CompactCertifier* certifier() { return certifier_.get(); }  // null: the device has none
  absl::Span<const int32_t> slot_of() const { return slot_of_; }       // CutNetwork's; empty: no cuts
  absl::Span<const int32_t> neuron_of() const { return neuron_of_; }

 private:
  absl::Status Use(const backend::CompactNetwork& network);
  int NextWithRows(int activation) const;  // itself: there is none behind it
  const backend::CompactStage& Stage(int activation) const {
    return stages_[static_cast<size_t>(stage_[static_cast<size_t>(activation)])];
  }

  const Plan& plan_;
  LeftNetwork left_;                           // lines as SetLines has them
  std::vector<int32_t> first_;                 // [activations + 1]
  std::vector<backend::CompactStage> stages_;  // as listed, without rows
  std::vector<int32_t> stage_;                 // per activation; -1: it has no unstable neurons
  int listed_ = 0;                             // activations before this one
  std::vector<int32_t> slot_of_, neuron_of_, unnumbered_;
  std::unique_ptr<backend::CompactBounder> bounder_;
  std::unique_ptr<backend::CompactCertifier> certifier_;
  std::optional<CutMaker> cuts_;
};

}  // namespace espalier::bounds
