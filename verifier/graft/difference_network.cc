#include "verifier/graft/difference_network.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/graft/compare.h"
#include "verifier/ir/compose.h"

namespace espalier::graft {
namespace {

using ir::LinearMap;
using ir::NodeId;

bool SameConv(const ir::ConvMap& a, const ir::ConvMap& b) {
  const auto geometry = [](const ir::ConvMap& m) {
    return std::vector<int64_t>{m.big_h,   m.big_w,    m.big_c,      m.small_h,    m.small_w,
                                m.small_c, m.kernel_h, m.kernel_w,   m.stride_h,   m.stride_w,
                                m.pad_top, m.pad_left, m.dilation_h, m.dilation_w, m.transposed ? 1 : 0};
  };
  return geometry(a) == geometry(b) && a.kernel == b.kernel;
}

LinearMap Negated(LinearMap map) {
  const auto flip = [](std::vector<double>& values) {
    for (double& v : values) v = -v;
  };
  if (const auto* identity = std::get_if<ir::IdentityMap>(&map)) {
    return ir::ScaleMap{std::vector<double>(static_cast<size_t>(identity->size), -1.0)};
  }
  if (auto* m = std::get_if<ir::ScaleMap>(&map)) flip(m->scale);
  if (auto* m = std::get_if<ir::DenseMap>(&map)) flip(m->weights);
  if (auto* m = std::get_if<ir::ConvMap>(&map)) flip(m->kernel);
  if (auto* m = std::get_if<ir::SparseMap>(&map)) flip(m->value);
  return map;
}

ir::LinearMapPtr MakeMap(LinearMap map) {
  return std::make_shared<const LinearMap>(std::move(map));
}

// Joins other's nodes to base's.
class Joiner {
 public:
  Joiner(const ir::Network& base, const ir::Network& other) : base_(base), other_(other) {}

  JoinedNetwork Run() {
    joined_.network.input_order = base_.input_order;
    joined_.base.assign(base_.nodes.size(), -1);
    joined_.other.assign(other_.nodes.size(), -1);
    for (size_t i = 0; i < base_.nodes.size(); ++i) {
      if (static_cast<NodeId>(i) == base_.output && !IsUsed(base_, base_.output)) continue;
      joined_.base[i] = Append(base_.nodes[i], joined_.base);
    }
    joined_.other[0] = OtherInput();
    for (size_t i = 1; i < other_.nodes.size(); ++i) {
      if (static_cast<NodeId>(i) == other_.output && !IsUsed(other_, other_.output)) continue;
      ir::NetworkNode node = Translate(other_.nodes[i], joined_.other);
      const std::optional<NodeId> shared = Find(node);
      joined_.other[i] = shared ? *shared : Push(std::move(node));
    }
    AppendOutput();
    return std::move(joined_);
  }

 private:
  static bool IsUsed(const ir::Network& network, NodeId id) {
    return std::any_of(network.nodes.begin(), network.nodes.end(), [id](const ir::NetworkNode& node) {
      return node.predecessor == id ||
             std::any_of(node.terms.begin(), node.terms.end(),
                         [id](const ir::AffineTerm& t) { return t.predecessor == id; });
    });
  }

  static ir::NetworkNode Translate(ir::NetworkNode node, const std::vector<NodeId>& where) {
    for (ir::AffineTerm& term : node.terms) term.predecessor = where[static_cast<size_t>(term.predecessor)];
    if (node.kind == ir::NodeKind::kActivation)
      node.predecessor = where[static_cast<size_t>(node.predecessor)];
    return node;
  }

  NodeId Push(ir::NetworkNode node) {
    joined_.network.nodes.push_back(std::move(node));
    return static_cast<NodeId>(joined_.network.nodes.size()) - 1;
  }
  NodeId Append(const ir::NetworkNode& node, const std::vector<NodeId>& where) {
    return Push(Translate(node, where));
  }

  // Other's stored input: the shared one, or a permutation of it.
  NodeId OtherInput() {
    if (other_.input_order == base_.input_order) return 0;
    const size_t n = base_.input_order.size();
    std::vector<int64_t> stored(n), source(n);
    for (size_t i = 0; i < n; ++i)
      stored[static_cast<size_t>(base_.input_order[i])] = static_cast<int64_t>(i);
    for (size_t i = 0; i < n; ++i) source[i] = stored[static_cast<size_t>(other_.input_order[i])];
    ir::NetworkNode node;
    node.kind = ir::NodeKind::kAffine;
    node.name = absl::StrCat(other_.nodes[0].name, " (other order)");
    node.size = base_.input_size();
    node.image = other_.nodes[0].image;
    node.bias.assign(n, 0.0);
    node.terms = {{0, MakeMap(ir::GatherMap(source, node.size)), 0}};
    return Push(std::move(node));
  }

  // A node of the joined network that computes exactly the same.
  std::optional<NodeId> Find(const ir::NetworkNode& node) const {
    for (size_t i = 1; i < joined_.network.nodes.size(); ++i) {
      const ir::NetworkNode& known = joined_.network.nodes[i];
      if (known.kind != node.kind || known.size != node.size) continue;
      if (node.kind == ir::NodeKind::kActivation) {
        if (known.predecessor == node.predecessor && SameHinge(known.hinge, node.hinge)) {
          return static_cast<NodeId>(i);
        }
        continue;
      }
      if (known.bias_roundings != 0 || node.bias_roundings != 0 || known.bias != node.bias) continue;
      const bool same = std::equal(known.terms.begin(), known.terms.end(), node.terms.begin(),
                                   node.terms.end(), [](const ir::AffineTerm& a, const ir::AffineTerm& b) {
                                     return a.predecessor == b.predecessor && TermsCancel(a, b);
                                   });
      if (same) return static_cast<NodeId>(i);
    }
    return std::nullopt;
  }

  void AppendOutput() {
    const ir::NetworkNode& a = base_.nodes[static_cast<size_t>(base_.output)];
    const ir::NetworkNode& b = other_.nodes[static_cast<size_t>(other_.output)];
    ir::NetworkNode node;
    node.kind = ir::NodeKind::kAffine;
    node.name = "difference";
    node.size = a.size;
    SetBiasDifference(a, b, joined_.network.nodes, node);
    std::vector<ir::AffineTerm> base_terms = Translate(a, joined_.base).terms;
    for (ir::AffineTerm& term : Translate(b, joined_.other).terms) {
      const auto partner = std::find_if(base_terms.begin(), base_terms.end(), [&](const ir::AffineTerm& t) {
        return t.predecessor == term.predecessor;
      });
      if (partner == base_terms.end()) {
        node.terms.push_back(std::move(term));
        continue;
      }
      for (ir::AffineTerm& t : TermDifference(*partner, term, term.predecessor))
        node.terms.push_back(std::move(t));
      base_terms.erase(partner);
    }
    for (const ir::AffineTerm& term : base_terms) {
      node.terms.push_back({term.predecessor, MakeMap(Negated(*term.map)), term.roundings});
    }
    joined_.network.output = Push(std::move(node));
  }

  const ir::Network& base_;
  const ir::Network& other_;
  JoinedNetwork joined_;
};

}  // namespace

bool SameMap(const LinearMap& a, const LinearMap& b) {
  if (&a == &b) return true;
  if (a.index() != b.index()) return false;
  return std::visit(
      [&b](const auto& m) {
        using Map = std::decay_t<decltype(m)>;
        const Map& n = std::get<Map>(b);
        if constexpr (std::is_same_v<Map, ir::IdentityMap>) {
          return m.size == n.size;
        } else if constexpr (std::is_same_v<Map, ir::ScaleMap>) {
          return m.scale == n.scale;
        } else if constexpr (std::is_same_v<Map, ir::DenseMap>) {
          return m.rows == n.rows && m.cols == n.cols && m.weights == n.weights;
        } else if constexpr (std::is_same_v<Map, ir::ConvMap>) {
          return SameConv(m, n);
        } else {
          return m.rows == n.rows && m.cols == n.cols && m.row_begin == n.row_begin && m.column == n.column &&
                 m.value == n.value;
        }
      },
      a);
}

bool SameHinge(const ir::HingeLayer& a, const ir::HingeLayer& b) {
  return a.roundings == 0 && b.roundings == 0 && a.left == b.left && a.right == b.right &&
         a.intercept == b.intercept;
}

bool TermsCancel(const ir::AffineTerm& base, const ir::AffineTerm& other) {
  return base.roundings == 0 && other.roundings == 0 && SameMap(*base.map, *other.map);
}

std::vector<ir::AffineTerm> TermDifference(const ir::AffineTerm& base, const ir::AffineTerm& other,
                                           NodeId predecessor) {
  if (TermsCancel(base, other)) return {};
  LinearMap negated = Negated(*base.map);
  double roundings = std::max(base.roundings, other.roundings);
  if (std::optional<LinearMap> sum = ir::Sum(*other.map, negated, &roundings)) {
    return {{predecessor, MakeMap(*std::move(sum)), roundings}};
  }
  return {{predecessor, other.map, other.roundings},
          {predecessor, MakeMap(std::move(negated)), base.roundings}};
}

void SetBiasDifference(const ir::NetworkNode& base, const ir::NetworkNode& other,
                       std::vector<ir::NetworkNode>& nodes, ir::NetworkNode& node) {
  node.bias = other.bias;
  if (base.bias_roundings == 0 && other.bias_roundings == 0) {
    for (size_t i = 0; i < node.bias.size(); ++i) node.bias[i] -= base.bias[i];
    node.bias_roundings = 1;
    return;
  }
  ir::NetworkNode constant;
  constant.kind = ir::NodeKind::kAffine;
  constant.name = absl::StrCat(base.name, " (bias)");
  constant.size = base.size;
  constant.bias = base.bias;
  constant.bias_roundings = base.bias_roundings;
  node.bias_roundings = other.bias_roundings;
  node.terms.push_back({static_cast<NodeId>(nodes.size()), MakeMap(Negated(ir::IdentityMap{base.size})), 0});
  nodes.push_back(std::move(constant));
}

absl::StatusOr<JoinedNetwork> JoinNetworks(const ir::Network& base, const ir::Network& other) {
  if (base.input_size() != other.input_size()) {
    return absl::InvalidArgumentError(absl::StrCat("the networks take different inputs: ", base.input_size(),
                                                   " and ", other.input_size(), " values"));
  }
  if (base.output_size() != other.output_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the networks give different outputs: ", base.output_size(), " and ",
                     other.output_size(), " values"));
  }
  JoinedNetwork joined = Joiner(base, other).Run();
  ESPALIER_RETURN_IF_ERROR(ir::CheckNetwork(joined.network));
  return joined;
}

absl::StatusOr<ir::Network> DifferenceNetwork(const ir::Network& base, const ir::Network& other) {
  ESPALIER_ASSIGN_OR_RETURN(JoinedNetwork joined, JoinNetworks(base, other));
  return std::move(joined.network);
}

}  // namespace espalier::graft
