// Per-neuron chains. For an activation h = hinge(x) and y = k h + p x + q, neuron by neuron, y is again a
// hinge of x:
//   left' = k left + p,  right' = k right + p,  intercept' = k intercept + q.
// Relu(x)(1-m) + m(ax+b), Where(m, ax+b, Relu(x)) and k Relu(x) + px + q all have this form once factors and
// shifts are joined, so no spelling of a graft is matched by pattern.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "verifier/ir/compose.h"
#include "verifier/ir/exact_sum.h"
#include "verifier/ops/fold_passes.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {
namespace {

using Doubles = std::vector<double>;

size_t At(ir::NodeId id) {
  return static_cast<size_t>(id);
}

bool IsElementwise(const ir::LinearMap& map) {
  return std::holds_alternative<ir::IdentityMap>(map) || std::holds_alternative<ir::ScaleMap>(map);
}

bool IsElementwise(const ir::NetworkNode& node) {
  return node.kind == ir::NodeKind::kAffine &&
         std::all_of(node.terms.begin(), node.terms.end(),
                     [](const auto& t) { return IsElementwise(*t.map); });
}

bool IsZero(const Doubles& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return x == 0; });
}

class ElementwiseFolder {
 public:
  explicit ElementwiseFolder(ir::Network& network)
      : network_(network), terms_(network.nodes.size(), 0), activations_(network.nodes.size(), 0) {
    for (const ir::NetworkNode& node : network_.nodes) Count(node, 1);
  }

  void Run() {
    for (size_t i = 1; i < network_.nodes.size(); ++i) {
      ir::NetworkNode& node = network_.nodes[i];
      if (node.kind == ir::NodeKind::kActivation) Linearise(node);
      if (node.kind != ir::NodeKind::kAffine) continue;
      Expand(node);
      if (IsElementwise(node)) BecomeHinge(static_cast<ir::NodeId>(i));
    }
  }

 private:
  // Adds `by` to the use counts of the node's predecessors; a node that nobody uses any more uses nobody.
  void Count(const ir::NetworkNode& node, int by) {
    std::vector<const ir::NetworkNode*> pending{&node};
    const auto change = [&](std::vector<int>& uses, ir::NodeId id) {
      uses[At(id)] += by;
      const bool unused = terms_[At(id)] == 0 && activations_[At(id)] == 0 && id != network_.output;
      if (by < 0 && unused) pending.push_back(&network_.nodes[At(id)]);
    };
    while (!pending.empty()) {
      const ir::NetworkNode& next = *pending.back();
      pending.pop_back();
      for (const ir::AffineTerm& term : next.terms) change(terms_, term.predecessor);
      if (next.kind == ir::NodeKind::kActivation) change(activations_, next.predecessor);
    }
  }

  // An activation layer that is a line in every neuron is affine.
  void Linearise(ir::NetworkNode& node) {
    if (ir::CountHinges(node.hinge) > 0) return;
    ir::HingeLayer hinge = std::exchange(node.hinge, {});
    const ir::NodeId x = std::exchange(node.predecessor, -1);
    node.kind = ir::NodeKind::kAffine;
    ++terms_[At(x)];
    --activations_[At(x)];
    node.terms = {{x, MakeMap(ir::Simplify(ir::ScaleMap{std::move(hinge.left)})), hinge.roundings}};
    node.bias = std::move(hinge.intercept);
    node.bias_roundings = hinge.roundings;
  }

  // Whether a use of `id` may be replaced by uses of its predecessors: it is a per-neuron node that either
  // goes away with that or has one term. Arguments of activations stay, so that BecomeHinge sees them.
  bool MayExpand(ir::NodeId id) const {
    const ir::NetworkNode& node = network_.nodes[At(id)];
    return IsElementwise(node) && activations_[At(id)] == 0 &&
           (terms_[At(id)] == 1 || node.terms.size() <= 1);
  }

  void Expand(ir::NetworkNode& node) {
    std::vector<ir::AffineTerm> terms;
    bool changed = false;
    const std::vector<ir::AffineTerm> old = node.terms;
    Bias bias(node);
    for (const ir::AffineTerm& term : old) {
      const bool small = terms.size() + network_.nodes[At(term.predecessor)].terms.size() <= kMaxTerms;
      const bool inlined = small && IsElementwise(*term.map) && MayExpand(term.predecessor) &&
                           Substitute(term, network_.nodes[At(term.predecessor)], terms, bias);
      if (!inlined) terms.push_back(term);
      changed |= inlined;
    }
    std::move(bias).MoveTo(node);
    const size_t count = terms.size();
    MergeTerms(terms);
    if (!changed && terms.size() == count) {
      node.terms = std::move(terms);
      return;
    }
    ir::NetworkNode before;
    before.kind = ir::NodeKind::kAffine;
    before.terms = old;
    node.terms = std::move(terms);
    Count(node, 1);
    Count(before, -1);
  }

  // The value that the activation's argument only hands on, if any.
  std::optional<ir::NodeId> Alias(ir::NodeId argument) const {
    const ir::NetworkNode& node = network_.nodes[At(argument)];
    if (node.terms.size() != 1 || !IsZero(node.bias)) return std::nullopt;
    if (!std::holds_alternative<ir::IdentityMap>(*node.terms[0].map)) return std::nullopt;
    return node.terms[0].predecessor;
  }

  // y = k h + p x + q with h used here only: the node becomes the activation.
  void BecomeHinge(ir::NodeId id) {
    ir::NetworkNode& node = network_.nodes[At(id)];
    const auto is_activation = [&](const ir::AffineTerm& t) {
      const bool own = terms_[At(t.predecessor)] == 1 && t.predecessor != network_.output;
      return own && network_.nodes[At(t.predecessor)].kind == ir::NodeKind::kActivation;
    };
    const auto h_term = std::find_if(node.terms.begin(), node.terms.end(), is_activation);
    if (h_term == node.terms.end() || node.terms.size() > 2) return;
    const ir::NetworkNode& h = network_.nodes[At(h_term->predecessor)];
    const ir::NodeId x = h.predecessor;
    const Doubles k = *ir::ElementwiseScale(*h_term->map);
    Doubles p(k.size(), 0.0);
    double roundings = h_term->roundings + h.hinge.roundings;
    if (node.terms.size() == 2) {
      const ir::AffineTerm& other = node.terms[h_term == node.terms.begin() ? 1 : 0];
      if (other.predecessor != x && other.predecessor != Alias(x)) return;
      p = *ir::ElementwiseScale(*other.map);
      roundings = std::max(roundings, other.roundings);
    } else if (!ScalesOnlyLines(h.hinge, k, node.bias)) {
      return;
    }
    std::optional<ir::HingeLayer> hinge = Combined(h.hinge, k, p, node, roundings);
    if (!hinge) return;
    if (activations_[At(id)] > 0 || id == network_.output) SplitOff(id);
    Replace(id, x, *std::move(hinge));
  }

  // k hinge(x) + p x + q with q the node's bias; nullopt where rounding would be noticed.
  static std::optional<ir::HingeLayer> Combined(ir::HingeLayer hinge, const Doubles& k, const Doubles& p,
                                                const ir::NetworkNode& q, double roundings) {
    ir::RoundingBound bound(std::max(roundings, q.bias_roundings));
    const auto combine = [&](double& value, double factor, double shift, double residual) {
      ir::ExactSum sum;
      sum.AddProduct(factor, value);
      sum.Add(shift);
      sum.Add(residual);
      value = sum.result();
      return bound.Accept(sum);
    };
    for (size_t i = 0; i < k.size(); ++i) {
      const double residual = q.bias_residual.empty() ? 0 : q.bias_residual[i];
      const bool accepted = combine(hinge.left[i], k[i], p[i], 0) && combine(hinge.right[i], k[i], p[i], 0) &&
                            combine(hinge.intercept[i], k[i], q.bias[i], residual);
      if (!accepted) return std::nullopt;
    }
    hinge.roundings = bound.roundings();
    return hinge;
  }

  // Factors and shifts behind an activation belong to the next affine node, except on lines (a graft spelled
  // with its intercept added last), and where there is something to fold at all.
  static bool ScalesOnlyLines(const ir::HingeLayer& hinge, const Doubles& k, const Doubles& q) {
    bool something = false;
    for (size_t i = 0; i < k.size(); ++i) {
      const bool changes = k[i] != 1 || q[i] != 0;
      if (changes && hinge.left[i] != hinge.right[i]) return false;
      something |= changes;
    }
    return something;
  }

  void Replace(ir::NodeId id, ir::NodeId x, ir::HingeLayer hinge) {
    ir::NetworkNode& node = network_.nodes[At(id)];
    ir::NetworkNode before;
    before.kind = ir::NodeKind::kAffine;
    before.terms = std::exchange(node.terms, {});
    node.bias.clear();
    node.bias_residual.clear();
    node.bias_roundings = 0;
    node.kind = ir::NodeKind::kActivation;
    node.predecessor = x;
    node.hinge = std::move(hinge);
    Count(node, 1);
    Count(before, -1);
    Linearise(node);
  }

  // Puts an identity behind `id` that takes over what must follow an affine node: activations and the output.
  void SplitOff(ir::NodeId id) {
    const auto shifted = [id](ir::NodeId other) { return other > id ? other + 1 : other; };
    for (ir::NetworkNode& node : network_.nodes) {
      for (ir::AffineTerm& term : node.terms) term.predecessor = shifted(term.predecessor);
      if (node.kind == ir::NodeKind::kActivation) {
        node.predecessor = node.predecessor >= id ? node.predecessor + 1 : node.predecessor;
      }
    }
    network_.output = network_.output >= id ? network_.output + 1 : network_.output;
    ir::NetworkNode alias;
    alias.kind = ir::NodeKind::kAffine;
    alias.name = network_.nodes[At(id)].name;
    alias.size = network_.nodes[At(id)].size;
    alias.image = network_.nodes[At(id)].image;
    alias.bias.assign(static_cast<size_t>(alias.size), 0.0);
    alias.terms = {{id, MakeMap(ir::IdentityMap{alias.size})}};
    terms_.insert(terms_.begin() + id + 1, 0);
    activations_.insert(activations_.begin() + id + 1, std::exchange(activations_[At(id)], 0));
    ++terms_[At(id)];
    network_.nodes.insert(network_.nodes.begin() + id + 1, std::move(alias));
  }

  ir::Network& network_;
  std::vector<int> terms_, activations_;  // uses of every node as a term and as an activation's argument
};

}  // namespace

void FoldElementwise(ir::Network& network) {
  ElementwiseFolder(network).Run();
}

}  // namespace espalier::ops
