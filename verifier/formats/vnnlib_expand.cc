#include "verifier/formats/vnnlib_expand.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"

namespace espalier::formats {
namespace {

// About ten seconds; real files need a few steps per comparison.
constexpr int64_t kMaxSteps = int64_t{1} << 31;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Memory of a row besides its terms, in numbers of 8 bytes.
constexpr size_t kRowOverhead = 12;
constexpr uint8_t kOpenLower = 1, kOpenUpper = 2;

// What a bound was before it was tightened.
struct Change {
  int32_t variable;
  bool upper;
  uint8_t open;
  double value;
};

// An `or` of which the children before next_child are done, and the state to return to.
struct Choice {
  int32_t next_child;
  size_t head, pending, changes, rows;
  int64_t version;
};

class Expander {
 public:
  Expander(const Formula& formula, int64_t input_size, int64_t output_size, const ExpansionLimits& limits)
      : formula_(formula), inputs_(static_cast<int32_t>(input_size)), limits_(limits) {
    property_.input_size = input_size;
    property_.output_size = output_size;
    const size_t n = static_cast<size_t>(input_size);
    current_.lower.assign(n, -kInfinity);
    current_.upper.assign(n, kInfinity);
    current_.open.assign(n, 0);
    unbounded_ = 2 * input_size;
  }

  absl::StatusOr<api::Property> Run();

 private:
  const FormulaNode& node(int32_t index) const { return formula_.nodes[static_cast<size_t>(index)]; }
  bool Apply(int32_t start);
  bool ApplyLeaf(const FormulaNode& leaf);
  bool Tighten(int32_t variable, bool upper, double value, bool strict);
  void Restore(const Choice& choice);
  absl::Status Emit();
  absl::Status CheckBounded() const;
  absl::Status CheckLimits() const;
  int32_t StoreBox();
  void AddWarnings();

  const Formula& formula_;
  const int32_t inputs_;
  const ExpansionLimits limits_;
  api::Property property_;

  // The conjunction under construction: its box, its rows, and the `or` nodes from head_ on that it still has
  // to choose from. Older entries of pending_ stay, for the choices below.
  api::Box current_;
  std::vector<int32_t> rows_;
  std::vector<int32_t> pending_;
  size_t head_ = 0;
  std::vector<Change> changes_;
  std::vector<Choice> choices_;
  std::vector<int32_t> later_;  // scratch of Apply
  int64_t unbounded_ = 0;       // infinite bounds of current_
  int64_t open_ = 0;            // inputs with an open bound in current_

  // A box state gets a new version whenever a bound is tightened: equal versions are equal boxes.
  int64_t version_ = 0, last_version_ = 0, stored_version_ = -1;
  int32_t stored_box_ = 0;
  std::unordered_multimap<size_t, int32_t> boxes_by_hash_;

  int64_t dropped_ = 0;
  int64_t steps_ = 0;
  int64_t numbers_ = 0;
  std::string first_conflict_;
};

absl::StatusOr<api::Property> Expander::Run() {
  bool alive = Apply(0);
  if (!alive) ++dropped_;
  while (true) {
    if (alive && head_ < pending_.size()) {
      const int32_t first = node(pending_[head_]).link;
      ++head_;
      choices_.push_back({first, head_, pending_.size(), changes_.size(), rows_.size(), version_});
    } else if (alive) {
      ESPALIER_RETURN_IF_ERROR(Emit());
    }
    ESPALIER_RETURN_IF_ERROR(CheckLimits());
    while (!choices_.empty() && choices_.back().next_child == kNoNode) choices_.pop_back();
    if (choices_.empty()) break;
    Restore(choices_.back());
    const int32_t child = choices_.back().next_child;
    choices_.back().next_child = node(child).next;
    alive = Apply(child);
    if (!alive) ++dropped_;
  }
  property_.warnings = formula_.warnings;
  AddWarnings();
  return std::move(property_);
}

// Adds everything below `start` to the conjunction, in the order of the file. False when it contradicts
// itself.
bool Expander::Apply(int32_t start) {
  later_.assign(1, kNoNode);
  // Walks siblings; `later_` holds where to go on after a list of children. `start` itself has siblings that
  // are other choices, so it is entered first and left alone.
  int32_t cursor = start;
  bool at_start = true;
  while (cursor != kNoNode) {
    const FormulaNode& here = node(cursor);
    const int32_t after = at_start ? kNoNode : here.next;
    at_start = false;
    ++steps_;
    const bool no_choice =
        here.kind == FormulaKind::kOr && here.link != kNoNode && node(here.link).next == kNoNode;
    if (here.kind == FormulaKind::kAnd || no_choice) {
      if (after != kNoNode) later_.push_back(after);
      cursor = here.link;
    } else {
      if (!ApplyLeaf(here)) return false;
      if (here.kind == FormulaKind::kOr) pending_.push_back(cursor);
      cursor = after;
    }
    if (cursor == kNoNode) {
      cursor = later_.back();
      if (cursor != kNoNode) later_.pop_back();
    }
  }
  return true;
}

bool Expander::ApplyLeaf(const FormulaNode& leaf) {
  switch (leaf.kind) {
    case FormulaKind::kLower:
      return Tighten(leaf.link, false, leaf.value, leaf.strict);
    case FormulaKind::kUpper:
      return Tighten(leaf.link, true, leaf.value, leaf.strict);
    case FormulaKind::kRow:
      rows_.push_back(leaf.link);
      return true;
    default:  // an `or`
      if (leaf.link == kNoNode && first_conflict_.empty())
        first_conflict_ = "a comparison of constants is false";
      return leaf.link != kNoNode;
  }
}

bool Expander::Tighten(int32_t variable, bool upper, double value, bool strict) {
  const size_t i = static_cast<size_t>(variable);
  double& bound = upper ? current_.upper[i] : current_.lower[i];
  uint8_t& open = current_.open[i];
  const uint8_t bit = upper ? kOpenUpper : kOpenLower;
  const bool closer = upper ? value < bound : value > bound;
  const bool opens = value == bound && strict && (open & bit) == 0;
  if (!closer && !opens) return true;
  changes_.push_back({variable, upper, open, bound});
  if (std::isinf(bound)) --unbounded_;
  bound = value;
  const uint8_t others = static_cast<uint8_t>(open & ~bit);
  const uint8_t now = static_cast<uint8_t>(strict ? others | bit : others);
  open_ += (now != 0 ? 1 : 0) - (open != 0 ? 1 : 0);
  open = now;
  version_ = ++last_version_;
  const double low = current_.lower[i], high = current_.upper[i];
  if (low < high || (low == high && open == 0)) return true;
  if (first_conflict_.empty()) {
    first_conflict_ = absl::StrCat("X_", variable, " is bounded by ", low, " from below and ", high,
                                   " from above", open != 0 ? ", strictly" : "");
  }
  return false;
}

void Expander::Restore(const Choice& choice) {
  while (changes_.size() > choice.changes) {
    const Change& change = changes_.back();
    const size_t i = static_cast<size_t>(change.variable);
    (change.upper ? current_.upper[i] : current_.lower[i]) = change.value;
    if (std::isinf(change.value)) ++unbounded_;
    open_ += (change.open != 0 ? 1 : 0) - (current_.open[i] != 0 ? 1 : 0);
    current_.open[i] = change.open;
    changes_.pop_back();
  }
  rows_.resize(choice.rows);
  pending_.resize(choice.pending);
  head_ = choice.head;
  version_ = choice.version;
}

absl::Status Expander::Emit() {
  if (unbounded_ > 0) return CheckBounded();
  api::Disjunct disjunct;
  disjunct.box = StoreBox();
  std::vector<int32_t> order = rows_;
  std::sort(order.begin(), order.end());
  disjunct.rows.reserve(order.size());
  for (const int32_t index : order) {
    const FormulaRow& from = formula_.rows[static_cast<size_t>(index)];
    api::LinearRow row;
    for (const auto& [variable, coefficient] : from.terms) {
      if (variable < inputs_) {
        row.input.emplace_back(variable, coefficient);
      } else {
        row.output.emplace_back(variable - inputs_, coefficient);
      }
    }
    row.rhs = from.rhs;
    row.strict = from.strict;
    numbers_ += static_cast<int64_t>(2 * from.terms.size() + kRowOverhead);
    disjunct.rows.push_back(std::move(row));
  }
  property_.disjuncts.push_back(std::move(disjunct));
  return absl::OkStatus();
}

absl::Status Expander::CheckBounded() const {
  const std::string disjunct =
      property_.disjuncts.empty() ? "" : absl::StrCat(" in disjunct ", property_.disjuncts.size() + 1);
  for (size_t i = 0; i < current_.lower.size(); ++i) {
    const bool below = std::isinf(current_.lower[i]), above = std::isinf(current_.upper[i]);
    if (!below && !above) continue;
    return absl::InvalidArgumentError(absl::StrCat("X_", i, " has no ", below ? "lower" : "",
                                                   below && above ? " and no " : "", above ? "upper" : "",
                                                   " bound", disjunct));
  }
  return absl::InternalError("no input is unbounded");
}

absl::Status Expander::CheckLimits() const {
  const int64_t leaves = static_cast<int64_t>(property_.disjuncts.size()) + dropped_;
  if (leaves > limits_.disjuncts) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the asserts expand to more than ", limits_.disjuncts, " disjuncts"));
  }
  if (numbers_ > limits_.numbers || steps_ > kMaxSteps) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the asserts expand to too large a disjunction: ", leaves, " disjuncts so far, ",
                     property_.boxes.size(), " boxes"));
  }
  return absl::OkStatus();
}

// Index of the current box in the property.
int32_t Expander::StoreBox() {
  if (version_ == stored_version_) return stored_box_;
  stored_version_ = version_;
  steps_ += inputs_;
  api::Box box = current_;
  if (open_ == 0) box.open.clear();
  const size_t hash = absl::HashOf(box.lower, box.upper, box.open);
  const auto [begin, end] = boxes_by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const api::Box& known = property_.boxes[static_cast<size_t>(it->second)];
    if (known.lower == box.lower && known.upper == box.upper && known.open == box.open) {
      return stored_box_ = it->second;
    }
  }
  stored_box_ = static_cast<int32_t>(property_.boxes.size());
  boxes_by_hash_.emplace(hash, stored_box_);
  numbers_ += 2 * int64_t{inputs_};
  property_.boxes.push_back(std::move(box));
  return stored_box_;
}

void Expander::AddWarnings() {
  if (dropped_ == 0 && !property_.disjuncts.empty()) return;
  const std::string reason = first_conflict_.empty() ? "there is no disjunct" : first_conflict_;
  if (property_.disjuncts.empty()) {
    property_.warnings.push_back(
        absl::StrCat("the input set is empty, so the answer is unsat whatever the network does: ", reason));
  } else {
    property_.warnings.push_back(
        absl::StrCat(dropped_, " contradictory disjuncts were left out; the first: ", reason));
  }
}

}  // namespace

absl::StatusOr<api::Property> ExpandFormula(const Formula& formula, int64_t input_size, int64_t output_size,
                                            const ExpansionLimits& limits) {
  if (formula.nodes.empty()) return absl::InvalidArgumentError("an empty formula");
  return Expander(formula, input_size, output_size, limits).Run();
}

}  // namespace espalier::formats
