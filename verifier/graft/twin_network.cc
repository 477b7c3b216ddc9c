#include "verifier/graft/twin_network.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/graft/difference_network.h"
#include "verifier/ir/compose.h"

namespace espalier::graft {
namespace {

using ir::NodeId;

ir::LinearMapPtr MakeMap(ir::LinearMap map) {
  return std::make_shared<const ir::LinearMap>(std::move(map));
}

bool SameShape(const ir::NetworkNode& a, const ir::NetworkNode& b) {
  if (a.kind != b.kind || a.size != b.size || a.predecessor != b.predecessor ||
      a.terms.size() != b.terms.size() || a.hinge.roundings != 0 || b.hinge.roundings != 0) {
    return false;
  }
  for (size_t t = 0; t < a.terms.size(); ++t) {
    if (a.terms[t].predecessor != b.terms[t].predecessor) return false;
  }
  return true;
}

class TwinBuilder {
 public:
  TwinBuilder(const ir::Network& base, const ir::Network& other, const std::vector<GapLines>& lines)
      : base_(base), other_(other), lines_(lines) {
    inputs_ = base.input_size();
    for (const GapLines& layer : lines) {
      inputs_ += std::count(layer.slack.begin(), layer.slack.end(), true);
    }
  }

  TwinNetwork Run() {
    twin_.gap.assign(base_.nodes.size(), -1);
    value_.assign(base_.nodes.size(), -1);
    AppendInput();
    for (size_t i = 1; i < base_.nodes.size(); ++i) {
      const auto id = static_cast<NodeId>(i);
      if (base_.nodes[i].kind == ir::NodeKind::kAffine) {
        AppendAffine(id);
      } else {
        AppendActivation(id);
      }
    }
    AppendOutput();
    return std::move(twin_);
  }

 private:
  NodeId Push(ir::NetworkNode node) {
    twin_.network.nodes.push_back(std::move(node));
    return static_cast<NodeId>(twin_.network.nodes.size()) - 1;
  }

  static ir::NetworkNode Affine(const ir::NetworkNode& like, const char* what) {
    ir::NetworkNode node;
    node.kind = ir::NodeKind::kAffine;
    node.name = absl::StrCat(like.name, what);
    node.size = like.size;
    node.image = like.image;
    node.bias.assign(static_cast<size_t>(like.size), 0.0);
    return node;
  }

  // All inputs, and behind them the base's own as an affine node.
  void AppendInput() {
    ir::NetworkNode input;
    input.kind = ir::NodeKind::kInput;
    input.name = base_.nodes[0].name;
    input.size = inputs_;
    Push(std::move(input));
    twin_.network.input_order = base_.input_order;
    for (int64_t i = base_.input_size(); i < inputs_; ++i) twin_.network.input_order.push_back(i);
    ir::NetworkNode own = Affine(base_.nodes[0], " (values)");
    std::vector<int64_t> source(static_cast<size_t>(base_.input_size()));
    std::iota(source.begin(), source.end(), int64_t{0});
    own.terms = {{0, MakeMap(ir::GatherMap(source, inputs_)), 0}};
    value_[0] = Push(std::move(own));
    next_slack_ = base_.input_size();
  }

  void AppendAffine(NodeId id) {
    const auto i = static_cast<size_t>(id);
    const ir::NetworkNode &a = base_.nodes[i], &b = other_.nodes[i];
    if (id != base_.output) {
      ir::NetworkNode value = a;
      for (ir::AffineTerm& term : value.terms)
        term.predecessor = value_[static_cast<size_t>(term.predecessor)];
      value_[i] = Push(std::move(value));
    }
    ir::NetworkNode gap = Affine(a, " (gap)");
    const bool same_bias = a.bias == b.bias && a.bias_roundings == 0 && b.bias_roundings == 0;
    if (!same_bias) SetBiasDifference(a, b, twin_.network.nodes, gap);
    for (size_t t = 0; t < a.terms.size(); ++t) {
      const auto p = static_cast<size_t>(a.terms[t].predecessor);
      if (twin_.gap[p] >= 0) gap.terms.push_back({twin_.gap[p], b.terms[t].map, b.terms[t].roundings});
      for (ir::AffineTerm& term : TermDifference(a.terms[t], b.terms[t], value_[p])) {
        gap.terms.push_back(std::move(term));
      }
    }
    if (gap.terms.empty() && same_bias) return;
    twin_.gap[i] = Push(std::move(gap));
  }

  NodeId AppendHinge(NodeId id, const char* what, ir::HingeLayer hinge) {
    const ir::NetworkNode& a = base_.nodes[static_cast<size_t>(id)];
    ir::NetworkNode node;
    node.kind = ir::NodeKind::kActivation;
    node.name = absl::StrCat(a.name, what);
    node.size = a.size;
    node.image = a.image;
    node.predecessor = value_[static_cast<size_t>(a.predecessor)];
    node.hinge = std::move(hinge);
    twin_.bounded_by.push_back(id);
    return Push(std::move(node));
  }

  // e: one further input for every neuron with a slack.
  ir::LinearMapPtr SlackMap(const std::vector<bool>& slack) {
    std::vector<int64_t> source(slack.size(), -1);
    for (size_t i = 0; i < slack.size(); ++i) {
      if (slack[i]) source[i] = next_slack_++;
    }
    return MakeMap(ir::GatherMap(source, inputs_));
  }

  void AppendActivation(NodeId id) {
    const auto i = static_cast<size_t>(id);
    const ir::HingeLayer &f1 = base_.nodes[i].hinge, &f2 = other_.nodes[i].hinge;
    value_[i] = AppendHinge(id, "", f1);
    ir::NetworkNode gap = Affine(base_.nodes[i], " (gap)");
    const NodeId input_gap = twin_.gap[static_cast<size_t>(base_.nodes[i].predecessor)];
    if (input_gap >= 0) gap.terms.push_back({input_gap, MakeMap(ir::ScaleMap{lines_[i].slope}), 0});
    const std::vector<bool>& slack = lines_[i].slack;
    const ir::LinearMapPtr slack_map = SlackMap(slack);  // its inputs count in any case
    if (input_gap >= 0 && std::find(slack.begin(), slack.end(), true) != slack.end()) {
      gap.terms.push_back({0, slack_map, 0});
    }
    if (!SameHinge(f1, f2)) {
      ir::HingeLayer change = f2;
      for (size_t k = 0; k < change.left.size(); ++k) {
        change.left[k] -= f1.left[k];
        change.right[k] -= f1.right[k];
        change.intercept[k] -= f1.intercept[k];
      }
      change.roundings = 1;
      const NodeId node = AppendHinge(id, " (change)", std::move(change));
      gap.terms.push_back({node, MakeMap(ir::IdentityMap{gap.size}), 0});
    }
    if (!gap.terms.empty()) twin_.gap[i] = Push(std::move(gap));
  }

  void AppendOutput() {
    NodeId output = twin_.gap[static_cast<size_t>(base_.output)];
    twin_.output_is_zero = output < 0;
    if (output < 0) output = Push(Affine(base_.nodes[static_cast<size_t>(base_.output)], " (gap)"));
    twin_.network.output = output;
  }

  const ir::Network& base_;
  const ir::Network& other_;
  const std::vector<GapLines>& lines_;
  int64_t inputs_ = 0, next_slack_ = 0;
  std::vector<NodeId> value_;
  TwinNetwork twin_;
};

bool Finite(const Interval& interval) {
  return std::isfinite(interval.lower) && std::isfinite(interval.upper);
}

}  // namespace

bool AreTwins(const ir::Network& base, const ir::Network& other) {
  if (base.nodes.size() != other.nodes.size() || base.output != other.output ||
      base.input_order != other.input_order) {
    return false;
  }
  for (size_t i = 0; i < base.nodes.size(); ++i) {
    if (!SameShape(base.nodes[i], other.nodes[i])) return false;
    // The output's own value is not followed, so nothing else may read it.
    for (const ir::AffineTerm& term : base.nodes[i].terms) {
      if (term.predecessor == base.output) return false;
    }
    if (base.nodes[i].predecessor == base.output) return false;
  }
  return true;
}

TwinNetwork MakeTwin(const ir::Network& base, const ir::Network& other, const std::vector<GapLines>& lines) {
  return TwinBuilder(base, other, lines).Run();
}

Interval SlackRange(double left, double right, double m, const GapBounds& bounds) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto& [z1, z2, gap] = bounds;
  if (!Finite(z1) || !Finite(z2) || !Finite(gap)) return {-kInfinity, kInfinity};
  // Piecewise linear in (z1, z2), with creases at z1 = 0 and z2 = 0, over a polygon: extreme where two of
  // these lines cross. Crossings are computed with rounding, so those a little outside count as well, and the
  // result is widened by far more than the rounding of this function.
  double scale = 0;
  for (double v : {z1.lower, z1.upper, z2.lower, z2.upper, gap.lower, gap.upper}) {
    scale = std::max(scale, std::fabs(v));
  }
  const double tolerance = 1e-12 * scale;
  const auto f = [&](double z) { return (z < 0 ? left : right) * z; };
  Interval range{kInfinity, -kInfinity};
  const auto visit = [&](double a, double b) {
    const double d = b - a;
    const bool inside = a >= z1.lower - tolerance && a <= z1.upper + tolerance && b >= z2.lower - tolerance &&
                        b <= z2.upper + tolerance && d >= gap.lower - tolerance && d <= gap.upper + tolerance;
    if (!inside) return;
    const double value = f(b) - f(a) - m * d;
    range.lower = std::min(range.lower, value);
    range.upper = std::max(range.upper, value);
  };
  for (double a : {z1.lower, z1.upper, 0.0}) {
    for (double b : {z2.lower, z2.upper, 0.0}) visit(a, b);
    for (double d : {gap.lower, gap.upper}) visit(a, a + d);
  }
  for (double b : {z2.lower, z2.upper, 0.0}) {
    for (double d : {gap.lower, gap.upper}) visit(b - d, b);
  }
  if (range.lower > range.upper) return {-kInfinity, kInfinity};  // bounds that contradict each other
  const double widen = 1e-11 * scale * (std::fabs(left) + std::fabs(right) + std::fabs(m)) +
                       std::numeric_limits<double>::min();
  return {range.lower - widen, range.upper + widen};
}

}  // namespace espalier::graft
