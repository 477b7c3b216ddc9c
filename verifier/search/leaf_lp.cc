#include "verifier/search/leaf_lp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "verifier/base/status.h"
#include "verifier/search/min_max_lp.h"

namespace espalier::search {
namespace {

// Rows of one node as affine functions of the input; every hinge of the domain must be linear.
absl::StatusOr<AffineBounds> AffineRows(Run& run, SharedRoot& root, const bounds::HostRows& rows) {
  auto& backend = run.plan.backend();
  bounds::InputBoxes origin;  // the bound over the box {0} is the constant
  origin.domains = 1;
  origin.lower.assign(static_cast<size_t>(run.problem.inputs), 0.0);
  origin.upper = origin.lower;
  const int64_t count = rows.count();
  ESPALIER_ASSIGN_OR_RETURN(const bounds::DeviceRows<double> device,
                            bounds::DeviceRows<double>::Make(run.plan, rows, origin));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, count));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> lambda,
                            backend::Allocate<double>(backend, count * run.problem.inputs));
  bounds::BackwardPass<double> pass(run.plan);
  ESPALIER_RETURN_IF_ERROR(
      pass.Run(device.Input(root.relaxation64), {.bound = bound.data(), .input_lambda = lambda.data()}));
  AffineBounds result;
  result.rows = count;
  result.inputs = run.problem.inputs;
  result.constant.resize(static_cast<size_t>(count));
  result.lambda.resize(static_cast<size_t>(count * result.inputs));
  backend.Download(bound.data(), count * 8, result.constant.data());
  backend.Download(lambda.data(), static_cast<int64_t>(result.lambda.size() * 8), result.lambda.data());
  return result;
}

absl::StatusOr<AffineBounds> MarginRows(Run& run, SharedRoot& root, const Target& target) {
  bounds::HostRows rows;
  rows.start = run.plan.network().output;
  for (int64_t r = 0; r < target.rows; ++r)
    AppendRow(run.problem, target, UnitWeights(target, r), 0, {}, rows);
  return AffineRows(run, root, rows);
}

// sign · pre-activation of every split, in split order: all >= 0 on the domain.
absl::StatusOr<AffineBounds> SplitConstraints(Run& run, SharedRoot& root, const Domain& domain) {
  AffineBounds all;
  all.inputs = run.problem.inputs;
  for (const Split& split : domain.splits) {
    bounds::HostRows unit;
    unit.start = run.plan.node(run.plan.activations()[static_cast<size_t>(split.layer)]).predecessor;
    unit.domain = {0};
    unit.neuron = {root.relaxation64.unstable(split.layer)[static_cast<size_t>(split.unstable)]};
    unit.sign = {static_cast<double>(split.sign)};
    ESPALIER_ASSIGN_OR_RETURN(const AffineBounds one, AffineRows(run, root, unit));
    all.lambda.insert(all.lambda.end(), one.lambda.begin(), one.lambda.end());
    all.constant.push_back(one.constant[0]);
    ++all.rows;
  }
  return all;
}

AffineBounds Negated(AffineBounds rows) {
  for (double& v : rows.lambda) v = -v;
  for (double& v : rows.constant) v = -v;
  return rows;
}

// How often the box of a leaf is halved at most.
constexpr int kMostHalvings = 10;

struct Part {
  bounds::InputBoxes box;
  int halvings = 0;
};

// One leaf: its affine functions, and the parts of its box that are not decided yet.
class Leaf {
 public:
  Leaf(Run& run, SharedRoot& root, Domain& domain)
      : run_(run),
        root_(root),
        domain_(domain),
        target_(run.problem.targets[static_cast<size_t>(domain.target)]) {}

  absl::Status Prepare();
  absl::StatusOr<LeafEnd> Decide();

 private:
  absl::StatusOr<LeafEnd> DecidePart(const Part& part);
  absl::Status ProveEmpty(const Part& part, MinMaxAnswer& answer) const;
  std::optional<size_t> Widest(const Part& part) const;
  // Halves the part; the half that holds the last program's optimum is looked at next.
  bool Halve(const Part& part);

  Run& run_;
  SharedRoot& root_;
  Domain& domain_;
  const Target& target_;
  AffineBounds margins_, constraints_;
  std::vector<Part> open_;
  std::vector<double> optimum_;  // of the last part's program; empty: it has none
  double bound_ = 0;             // certified, of the last part
};

absl::Status Leaf::Prepare() {
  {
    DomainBatch<double> batch(run_, root_);  // puts the domain's splits into the shared relaxation
    ESPALIER_RETURN_IF_ERROR(batch.Load({&domain_}));
  }
  ESPALIER_ASSIGN_OR_RETURN(margins_, MarginRows(run_, root_, target_));
  ESPALIER_ASSIGN_OR_RETURN(constraints_, SplitConstraints(run_, root_, domain_));
  open_.push_back({root_.bounds.boxes, 0});
  return absl::OkStatus();
}

absl::StatusOr<LeafEnd> Leaf::DecidePart(const Part& part) {
  ++run_.statistics.counters["leaf_lps"];
  const double *lower = part.box.lower.data(), *upper = part.box.upper.data();
  MinMaxAnswer answer = SolveMinMax(margins_, constraints_, lower, upper, run_.stop);
  optimum_ = answer.point;
  if (answer.solved && run_.TryWitness(answer.point.data())) return LeafEnd::kWitness;
  bound_ = -std::numeric_limits<double>::infinity();
  if (!answer.solved) {
    // The splits contradict each other: min over x of max of -constraint is positive, and its weights prove
    // it.
    answer = SolveMinMax(Negated(constraints_),
                         {.rows = 0, .inputs = constraints_.inputs, .lambda = {}, .constant = {}}, lower,
                         upper, run_.stop);
    if (!answer.solved) return LeafEnd::kUndecided;
    answer.multipliers = answer.weights;
    answer.weights.assign(static_cast<size_t>(target_.rows), 0.0);
  }
  domain_.weights = answer.weights;
  for (size_t k = 0; k < domain_.splits.size(); ++k)
    domain_.splits[k].beta = static_cast<float>(answer.multipliers[k]);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> bound,
                            CertifyDomains(run_, root_, {&domain_}, &part.box));
  bound_ = bound[0];
  return bound_ > 0 ? LeafEnd::kRefuted : LeafEnd::kUndecided;
}

// The input whose width moves the margins most; among inputs without influence, the widest.
std::optional<size_t> Leaf::Widest(const Part& part) const {
  std::optional<size_t> best;
  double most = -1;
  for (size_t j = 0; j < part.box.lower.size(); ++j) {
    const double low = part.box.lower[j], high = part.box.upper[j], middle = 0.5 * low + 0.5 * high;
    if (!(low < middle && middle < high)) continue;
    double influence = 0;
    for (const AffineBounds* rows : {&margins_, &constraints_}) {
      for (size_t r = 0; r < static_cast<size_t>(rows->rows); ++r) {
        influence = std::max(influence, std::fabs(rows->lambda[r * part.box.lower.size() + j]));
      }
    }
    const double value = (influence + 1e-12) * (high - low);
    if (value > most) most = value, best = j;
  }
  return best;
}

bool Leaf::Halve(const Part& part) {
  const std::optional<size_t> widest = part.halvings < kMostHalvings ? Widest(part) : std::nullopt;
  if (!widest.has_value()) return false;
  const size_t j = *widest;
  const double middle = 0.5 * part.box.lower[j] + 0.5 * part.box.upper[j];
  Part low{part.box, part.halvings + 1}, high{part.box, part.halvings + 1};
  low.box.upper[j] = high.box.lower[j] = middle;
  const bool low_first = !optimum_.empty() && optimum_[j] <= middle;
  open_.push_back(std::move(low_first ? high : low));
  open_.push_back(std::move(low_first ? low : high));
  return true;
}

absl::StatusOr<LeafEnd> Leaf::Decide() {
  while (!open_.empty()) {
    const Part part = std::move(open_.back());
    open_.pop_back();
    ESPALIER_ASSIGN_OR_RETURN(const LeafEnd end, DecidePart(part));
    if (end == LeafEnd::kWitness) return end;
    if (end == LeafEnd::kRefuted) continue;
    if (run_.stop.StopRequested()) return LeafEnd::kUndecided;
    if (!Halve(part)) {
      run_.NoteUndecided(bound_);
      return LeafEnd::kUndecided;
    }
    ++run_.statistics.counters["leaf_halvings"];
  }
  return LeafEnd::kRefuted;
}

}  // namespace

absl::StatusOr<LeafEnd> DecideLeaf(Run& run, SharedRoot& root, Domain& domain) {
  Leaf leaf(run, root, domain);
  ESPALIER_RETURN_IF_ERROR(leaf.Prepare());
  return leaf.Decide();
}

}  // namespace espalier::search
