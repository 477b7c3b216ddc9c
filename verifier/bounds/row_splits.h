// Branch and bound in the rows of intermediate bounds: what one relaxation loses on a row of an inner layer
// is regained where the neurons before it that cost it most are split. Each row has a tree of its own, its
// worst leaf is split in every round, and what is proved of the row is the least of what is proved of its
// leaves, which cover the region that the row's bound is for. Where it is known which rows margins owe most
// to, the others are split once.
//
// That bounds of early layers are worth solving for is known from mixed-integer programming (Tjeng, Xiao and
// Tedrake, ICLR 2019). Here no program is solved: leaves of many rows are bounded side by side, as a search's
// domains are.
//
//   RowSplitter splitter(network, wanted, /*iterations=*/4);
//   ESPALIER_ASSIGN_OR_RETURN(RowLeaves leaves, splitter.Split(rows, rounds));   // rows that have been
//   bounded
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "verifier/backend/compact.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/row_network.h"
#include "verifier/bounds/row_worth.h"

namespace espalier::bounds {

struct RowSplits {
  int64_t rounds = 0;                  // a row's leaves are at most one more
  int64_t iterations = 4;              // of a leaf, which begins where the one that was split has ended
  const NeuronGains* gains = nullptr;  // when not null: rows that little is owed to are split once
};

// Scores that rows and leaves need so that a neuron to split can be found.
inline constexpr int64_t kSplitCandidates = 8;

struct RowLeaves {
  std::vector<backend::CompactDomain> leaves;  // with exact slopes, row by row
  std::vector<size_t> row;                     // of each leaf
};

class RowSplitter {
 public:
  // `wanted`: how the rows were bounded. `network` outlives this.
  RowSplitter(RowNetwork& network, const backend::CompactSettings& wanted, int64_t iterations);
  // `rows`: bounded, with slopes, exact slopes and candidates. `rounds`: of each. CANCELLED as
  // CompactBounder::Bound.
  absl::StatusOr<RowLeaves> Split(absl::Span<const backend::CompactDomain> rows,
                                  absl::Span<const int64_t> rounds);

 private:
  struct Tree {
    std::vector<backend::CompactDomain> leaves;
    int64_t rounds = 0;  // that are left
  };
  struct Parent {
    Tree* tree = nullptr;
    size_t leaf = 0;
  };
  // Splits the worst leaf of every tree that goes on. False: none does.
  absl::StatusOr<bool> Round(std::vector<Tree>& trees);

  RowNetwork& network_;
  backend::CompactSettings wanted_;
};

// Rows whose leaves are kept at once.
int64_t RowsToSplitAtOnce(int64_t neurons_before, const RowSplits& splits);

}  // namespace espalier::bounds
