#include "tests/oracle/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/oracle/linear_program.h"
#include "verifier/base/status.h"

namespace espalier::oracle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The neurons of one node as affine functions of the stored inputs: columns[k][i] is the coefficient of input
// k in neuron i, columns[inputs] holds the constants.
using Columns = std::vector<std::vector<double>>;

class PatternWalk {
 public:
  PatternWalk(const ir::Network& network, const api::Property& property, const api::Disjunct& disjunct)
      : network_(network), disjunct_(disjunct), inputs_(static_cast<size_t>(network.input_size())) {
    const api::Box& box = property.boxes[static_cast<size_t>(disjunct.box)];
    stored_of_.resize(inputs_);
    for (size_t i = 0; i < inputs_; ++i) {
      const auto onnx = static_cast<size_t>(network.input_order[i]);
      stored_of_[onnx] = i;
      lower_.push_back(box.lower[onnx]);
      upper_.push_back(box.upper[onnx]);
    }
    values_.resize(network.nodes.size());
    values_[0].assign(inputs_ + 1, std::vector<double>(inputs_, 0.0));
    for (size_t i = 0; i < inputs_; ++i) values_[0][i][i] = 1;
  }

  absl::StatusOr<Answer> Run() {
    answer_.margin = kInfinity;
    ESPALIER_RETURN_IF_ERROR(FromNode(1));
    ESPALIER_RETURN_IF_ERROR(CheckWitness());
    return answer_;
  }

 private:
  absl::Status FromNode(size_t index) {
    if (index == network_.nodes.size()) return Leaf();
    const ir::NetworkNode& node = network_.nodes[index];
    Columns& columns = values_[index];
    columns.assign(inputs_ + 1, std::vector<double>(static_cast<size_t>(node.size), 0.0));
    if (node.kind == ir::NodeKind::kActivation) return FromNeuron(index, 0);
    columns[inputs_] = node.bias;
    for (const ir::AffineTerm& term : node.terms) {
      const Columns& from = values_[static_cast<size_t>(term.predecessor)];
      for (size_t k = 0; k <= inputs_; ++k) ir::Apply(*term.map, from[k].data(), columns[k].data());
    }
    return FromNode(index + 1);
  }

  absl::Status FromNeuron(size_t index, size_t neuron) {
    const ir::NetworkNode& node = network_.nodes[index];
    if (neuron == static_cast<size_t>(node.size)) return FromNode(index + 1);
    const Columns& from = values_[static_cast<size_t>(node.predecessor)];
    HalfSpace negative{std::vector<double>(inputs_), -from[inputs_][neuron]};
    double low = from[inputs_][neuron], high = low;
    for (size_t k = 0; k < inputs_; ++k) {
      const double c = negative.normal[k] = from[k][neuron];
      low += std::min(c * lower_[k], c * upper_[k]);
      high += std::max(c * lower_[k], c * upper_[k]);
    }
    if (node.hinge.left[neuron] == node.hinge.right[neuron] || low >= 0) {
      return WithSide(index, neuron, node.hinge.right[neuron]);
    }
    if (high <= 0) return WithSide(index, neuron, node.hinge.left[neuron]);

    HalfSpace positive = negative;
    for (double& c : positive.normal) c = -c;
    positive.rhs = -positive.rhs;
    ESPALIER_RETURN_IF_ERROR(UnderConstraint(std::move(negative), index, neuron, node.hinge.left[neuron]));
    return UnderConstraint(std::move(positive), index, neuron, node.hinge.right[neuron]);
  }

  absl::Status UnderConstraint(HalfSpace side, size_t index, size_t neuron, double slope) {
    region_.push_back(std::move(side));
    auto feasible = Solve({lower_, upper_, std::vector<double>(inputs_, 0.0), region_});
    absl::Status status = feasible.status();
    if (status.ok() && feasible->feasible) status = WithSide(index, neuron, slope);
    region_.pop_back();
    return status;
  }

  absl::Status WithSide(size_t index, size_t neuron, double slope) {
    const ir::NetworkNode& node = network_.nodes[index];
    const Columns& from = values_[static_cast<size_t>(node.predecessor)];
    for (size_t k = 0; k <= inputs_; ++k) values_[index][k][neuron] = slope * from[k][neuron];
    values_[index][inputs_][neuron] += node.hinge.intercept[neuron];
    return FromNeuron(index, neuron + 1);
  }

  // One row as an affine function of the inputs: normal . x - rhs.
  HalfSpace RowOverInputs(const api::LinearRow& row) const {
    HalfSpace space{std::vector<double>(inputs_, 0.0), row.rhs};
    for (const auto& [index, factor] : row.input)
      space.normal[stored_of_[static_cast<size_t>(index)]] += factor;
    const Columns& output = values_[static_cast<size_t>(network_.output)];
    for (const auto& [index, factor] : row.output) {
      for (size_t k = 0; k < inputs_; ++k) space.normal[k] += factor * output[k][static_cast<size_t>(index)];
      space.rhs -= factor * output[inputs_][static_cast<size_t>(index)];
    }
    return space;
  }

  // minimise t subject to row(x) - rhs <= t for every row, x in the pattern's region.
  absl::Status Leaf() {
    ++answer_.patterns;
    LinearProgram program{lower_, upper_, std::vector<double>(inputs_ + 1, 0.0), region_};
    const bool rows = !disjunct_.rows.empty();
    program.lower.push_back(rows ? -kInfinity : 0);
    program.upper.push_back(rows ? kInfinity : 0);
    program.objective.back() = 1;
    for (HalfSpace& constraint : program.constraints) constraint.normal.push_back(0);
    for (const api::LinearRow& row : disjunct_.rows) {
      program.constraints.push_back(RowOverInputs(row));
      program.constraints.back().normal.push_back(-1);
    }
    ESPALIER_ASSIGN_OR_RETURN(const Optimum optimum, Solve(program));
    if (!optimum.feasible || (rows && optimum.value >= answer_.margin)) return absl::OkStatus();
    answer_.margin = rows ? optimum.value : -kInfinity;
    answer_.witness.resize(inputs_);
    for (size_t i = 0; i < inputs_; ++i) {
      answer_.witness[static_cast<size_t>(network_.input_order[i])] =
          std::clamp(optimum.point[i], lower_[i], upper_[i]);
    }
    return absl::OkStatus();
  }

  // Evaluates the network at the witness: an oracle that trusted its LP alone would share that LP's errors.
  absl::Status CheckWitness() {
    if (answer_.witness.empty()) return absl::InternalError("no activation pattern is feasible in the box");
    std::vector<double> stored(inputs_);
    for (size_t i = 0; i < inputs_; ++i)
      stored[i] = answer_.witness[static_cast<size_t>(network_.input_order[i])];
    const auto output = ir::EvaluateNodes(network_, stored)[static_cast<size_t>(network_.output)];
    double reached = -kInfinity;
    for (const api::LinearRow& row : disjunct_.rows) {
      double sum = -row.rhs;
      for (const auto& [index, factor] : row.input)
        sum += factor * answer_.witness[static_cast<size_t>(index)];
      for (const auto& [index, factor] : row.output) sum += factor * output[static_cast<size_t>(index)];
      reached = std::max(reached, sum);
    }
    if (!disjunct_.rows.empty() && !(std::fabs(reached - answer_.margin) <= kBand / 2)) {
      return absl::InternalError(
          absl::StrCat("LP optimum ", answer_.margin, " but the network gives ", reached));
    }
    answer_.reach = reached <= -kBand         ? Reach::kReachable
                    : answer_.margin >= kBand ? Reach::kUnreachable
                                              : Reach::kAmbiguous;
    return absl::OkStatus();
  }

  const ir::Network& network_;
  const api::Disjunct& disjunct_;
  const size_t inputs_;
  std::vector<size_t> stored_of_;  // ONNX index -> stored index
  std::vector<double> lower_, upper_;
  std::vector<Columns> values_;    // one per node, valid under the current prefix
  std::vector<HalfSpace> region_;  // the current prefix
  Answer answer_;
};

}  // namespace

absl::StatusOr<Answer> DecideDisjunct(const ir::Network& network, const api::Property& property,
                                      size_t disjunct) {
  return PatternWalk(network, property, property.disjuncts[disjunct]).Run();
}

absl::StatusOr<Answer> DecideProperty(const ir::Network& network, const api::Property& property) {
  Answer worst{.reach = Reach::kUnreachable, .margin = kInfinity, .witness = {}, .patterns = 0};
  for (size_t d = 0; d < property.disjuncts.size(); ++d) {
    ESPALIER_ASSIGN_OR_RETURN(Answer answer, DecideDisjunct(network, property, d));
    answer.patterns += worst.patterns;
    if (answer.margin < worst.margin) {
      worst = std::move(answer);
    } else {
      worst.patterns = answer.patterns;
    }
  }
  return worst;
}

}  // namespace espalier::oracle
