// One bound pass over a batch of box domains: what it closes, what it leaves of the others, and where to
// split them.
//
// Each domain gets certified bounds of all layers (float64), its targets' rows as affine bounds of the free
// inputs, and then: a target leaves when one row, or a combination of rows and the domain's cuts, is positive
// on the box; the box shrinks to what the affine bounds leave.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/search/box_domain.h"
#include "verifier/search/problem.h"

namespace espalier::search {

struct NeuronChoice {
  int activation = 0;
  int32_t neuron = 0;
  double looseness = 0;  // what its relaxation costs the bound
};

// What is left of one domain.
struct BoxOutcome {
  std::vector<int32_t> open;         // targets
  double bound = 0;                  // lowest best margin of what is left
  std::vector<double> lower, upper;  // the smallest box around what may be unsafe for some target
  bounds::NeuronSigns signs;
  int64_t unstable = 0;
  std::vector<double> smear;           // per free input: what the bound falls by across it
  std::vector<double> influence;       // per free input: its share of the relaxation's looseness
  std::optional<NeuronChoice> neuron;  // the one that costs most
};

class BoxBatch {
 public:
  // free_inputs: per box of the problem. All outlive the batch.
  BoxBatch(Run& run, const std::vector<std::vector<int32_t>>& free_inputs,
           const std::vector<BoxDomain>& domains);

  // RESOURCE_EXHAUSTED when the batch does not fit in memory.
  absl::Status Bound();
  const std::vector<BoxOutcome>& outcomes() const { return outcomes_; }

  // Candidates for replay: points where some open target's combination is lowest.
  const std::vector<size_t>& candidate_targets() const { return candidate_targets_; }
  const std::vector<double>& candidate_points() const { return candidate_points_; }

  // Affine lower bounds of ± the chosen neurons' pre-activations, in the order of `wanted`; after Bound().
  struct SignedNeuron {
    size_t domain = 0;
    NeuronChoice neuron;
    double sign = 1;
  };
  absl::StatusOr<std::vector<AffineBounds>> Planes(const std::vector<SignedNeuron>& wanted) const;

 private:
  struct PairRows {  // rows [begin, end) belong to one target on one domain
    size_t domain = 0;
    int32_t target = 0;
    size_t begin = 0, end = 0;
  };
  struct RowWeight {
    size_t domain = 0, row = 0;
    double weight = 0;
  };

  const std::vector<int32_t>& free(size_t domain) const;
  bounds::InputBoxes Expand() const;
  bounds::HostRows TargetRows(std::vector<PairRows>& pairs) const;
  void ReadSigns();
  void Digest(const PairRows& pair, const std::vector<double>& margin, const bounds::RowDetails& details);
  void AddPlane(size_t domain, size_t row, const std::vector<double>& margin,
                const bounds::RowDetails& details, AffineBounds& planes) const;
  std::vector<std::vector<double>> Looseness(const bounds::RowDetails& details) const;
  void ChooseNeurons(const std::vector<std::vector<double>>& looseness);
  absl::Status Influence(std::vector<std::vector<double>> looseness);

  Run& run_;
  const std::vector<std::vector<int32_t>>& free_inputs_;
  const std::vector<BoxDomain>& domains_;
  bounds::DomainBounds layers_;
  bounds::Relaxation<double> relaxation_;
  std::vector<BoxOutcome> outcomes_;
  std::vector<RowWeight> weights_;  // of the combinations that left targets open
  std::vector<size_t> candidate_targets_;
  std::vector<double> candidate_points_;
};

}  // namespace espalier::search
