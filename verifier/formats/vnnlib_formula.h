// What a VNN-LIB text says, before it is expanded to a disjunctive normal form: an and/or tree whose leaves
// are bounds on single inputs and linear rows. Nodes live in one array and are linked by index; children keep
// the order of the file, and so do node indices of leaves.
//
// Inputs and outputs share one index space here: X_i is i, Y_j is input_size + j.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace espalier::formats {

inline constexpr int32_t kNoNode = -1;

enum class FormulaKind : uint8_t {
  kAnd,    // `link` is the first child; no children: true
  kOr,     // `link` is the first child; no children: false
  kLower,  // X_link >= value
  kUpper,  // X_link <= value
  kRow,    // rows[link]
};

struct FormulaNode {
  FormulaKind kind = FormulaKind::kAnd;
  bool strict = false;  // kLower, kUpper: > and <
  int32_t next = kNoNode;
  int32_t link = kNoNode;
  double value = 0;
};

// sum of terms <= rhs (< when strict), terms sorted by index, at least one, none with coefficient 0.
struct FormulaRow {
  std::vector<std::pair<int32_t, double>> terms;
  double rhs = 0;
  bool strict = false;
};

struct Formula {
  std::vector<FormulaNode> nodes;  // nodes[0] is the conjunction of all asserts
  std::vector<FormulaRow> rows;
  std::vector<std::string> warnings;
};

}  // namespace espalier::formats
