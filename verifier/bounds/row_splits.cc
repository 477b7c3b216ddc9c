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

RowSplitter::RowSplitter(RowNetwork& network, const backend::CompactSettings& wanted, const RowSplits& splits)
    : network_(network), wanted_(wanted), rounds_(splits.rounds) {
  wanted_.iterations = splits.iterations;
  wanted_.slopes = wanted_.exact_slopes = true;
  wanted_.candidates = kSplitCandidates;
}

absl::StatusOr<bool> RowSplitter::Round(std::vector<Tree>& trees) {
  std::vector<Parent> parents;
  std::vector<CompactDomain> children;
  for (Tree& tree : trees) {
    const size_t worst = WorstLeaf(tree);
    if (tree[worst].bound > 0) continue;  // the row's sign is known
    const int32_t neuron = NeuronToSplit(network_, tree[worst]);
    if (neuron < 0) continue;
    parents.push_back({&tree, worst});
    for (const float sign : {1.0f, -1.0f}) children.push_back(ChildOf(tree[worst], neuron, sign));
  }
  if (parents.empty()) return false;
  ESPALIER_RETURN_IF_ERROR(network_.bounder().Bound(absl::MakeSpan(children), wanted_));
  for (size_t p = 0; p < parents.size(); ++p) {
    Tree& tree = *parents[p].tree;
    CompactDomain &first = children[2 * p], &second = children[2 * p + 1];
    // What few steps have not reached, more would; certificates take what was reached.
    const double known = tree[parents[p].leaf].bound;
    for (CompactDomain* child : {&first, &second}) {
      child->start = {};
      child->bound = std::max(child->bound, known);
    }
    tree[parents[p].leaf] = std::move(first);
    tree.push_back(std::move(second));
  }
  return true;
}

absl::StatusOr<RowLeaves> RowSplitter::Split(absl::Span<const CompactDomain> rows) {
  std::vector<Tree> trees;
  for (const CompactDomain& row : rows) trees.emplace_back(1, row);
  for (int64_t round = 0; round < rounds_; ++round) {
    ESPALIER_ASSIGN_OR_RETURN(const bool any, Round(trees));
    if (!any) break;
  }
  RowLeaves result;
  for (size_t r = 0; r < trees.size(); ++r) {
    for (CompactDomain& leaf : trees[r]) {
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
