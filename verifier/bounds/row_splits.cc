#include "verifier/bounds/row_splits.h"

#include <algorithm>
#include <utility>

#include "verifier/base/status.h"

namespace espalier::bounds {
namespace {

using backend::CompactDomain;

constexpr int64_t kMostLeafBytes = int64_t{1} << 26;
constexpr int64_t kBytesPerSlope = 5;  // a float and a byte

// The neuron that the leaf's bound owes most to; -1: none is known that can be split.
int32_t NeuronToSplit(const RowNetwork& network, const CompactDomain& leaf) {
  for (const auto& [number, score] : leaf.candidates) {
    if (network.Unnumbered(number) < 0) continue;  // a cut's
    const bool split = std::any_of(leaf.splits.begin(), leaf.splits.end(),
                                   [number = number](const auto& s) { return s.neuron == number; });
    if (!split) return number;
  }
  return -1;
}

// Begins where the parent, which outlives it, has ended.
CompactDomain ChildOf(const CompactDomain& parent, int32_t neuron, float sign) {
  CompactDomain child;
  child.unit = parent.unit;
  child.sign = parent.sign;
  child.start = parent.slopes;
  child.splits = parent.splits;
  child.splits.push_back({neuron, sign, 0.0f});
  return child;
}

size_t WorstLeaf(const std::vector<CompactDomain>& leaves) {
  const auto worst = std::min_element(leaves.begin(), leaves.end(),
                                      [](const auto& x, const auto& y) { return x.bound < y.bound; });
  return static_cast<size_t>(worst - leaves.begin());
}

}  // namespace

RowSplitter::RowSplitter(RowNetwork& network, const backend::CompactSettings& wanted, int64_t iterations)
    : network_(network), wanted_(wanted) {
  wanted_.iterations = iterations;
  wanted_.slopes = wanted_.exact_slopes = true;
  wanted_.candidates = kSplitCandidates;
}

absl::StatusOr<bool> RowSplitter::Round(std::vector<Tree>& trees) {
  std::vector<Parent> parents;
  std::vector<CompactDomain> children;
  for (Tree& tree : trees) {
    if (tree.rounds == 0) continue;
    const size_t at = WorstLeaf(tree.leaves);
    const CompactDomain& worst = tree.leaves[at];
    if (worst.bound > 0) continue;  // the row's sign is known
    const int32_t neuron = NeuronToSplit(network_, worst);
    if (neuron < 0) continue;
    --tree.rounds;
    parents.push_back({&tree, at});
    for (const float sign : {1.0f, -1.0f}) children.push_back(ChildOf(worst, neuron, sign));
  }
  if (parents.empty()) return false;
  ESPALIER_RETURN_IF_ERROR(network_.bounder().Bound(absl::MakeSpan(children), wanted_));
  for (size_t p = 0; p < parents.size(); ++p) {
    std::vector<CompactDomain>& leaves = parents[p].tree->leaves;
    CompactDomain &first = children[2 * p], &second = children[2 * p + 1];
    // What few steps have not reached, more would; certificates take what was reached.
    const double known = leaves[parents[p].leaf].bound;
    for (CompactDomain* child : {&first, &second}) {
      child->start = {};
      child->bound = std::max(child->bound, known);
    }
    leaves[parents[p].leaf] = std::move(first);
    leaves.push_back(std::move(second));
  }
  return true;
}

absl::StatusOr<RowLeaves> RowSplitter::Split(absl::Span<const CompactDomain> rows,
                                             absl::Span<const int64_t> rounds) {
  std::vector<Tree> trees;
  for (size_t r = 0; r < rows.size(); ++r) trees.push_back({{rows[r]}, rounds[r]});
  bool any = true;
  while (any) {
    ESPALIER_ASSIGN_OR_RETURN(any, Round(trees));
  }
  RowLeaves result;
  for (size_t r = 0; r < trees.size(); ++r) {
    for (CompactDomain& leaf : trees[r].leaves) {
      leaf.slopes = {};
      leaf.candidates = {};
      result.leaves.push_back(std::move(leaf));
      result.row.push_back(r);
    }
  }
  return result;
}

int64_t RowsToSplitAtOnce(int64_t neurons_before, const RowSplits& splits) {
  const int64_t row = kBytesPerSlope * std::max<int64_t>(neurons_before, 1) * (splits.rounds + 1);
  return std::max<int64_t>(kMostLeafBytes / row, 16);
}

}  // namespace espalier::bounds
