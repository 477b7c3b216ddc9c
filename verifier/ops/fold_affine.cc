// Joins affine nodes with their affine consumers: batch normalisation with the convolution in front of it,
// the sum of a residual block with the branch's last convolution, gathers and permutations with dense layers,
// chains of small dense layers, a slice of the input with what reads it.
#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "verifier/ir/compose.h"
#include "verifier/ops/fold_passes.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {
namespace {

// Products that would take longer than this many multiply-adds to compute are left apart.
constexpr double kFoldingBudget = 4e9;

size_t At(ir::NodeId id) {
  return static_cast<size_t>(id);
}

double NodeWork(const ir::NetworkNode& node) {
  double work = 0;
  for (const ir::AffineTerm& term : node.terms) work += ir::Work(*term.map);
  return work;
}

class AffineFolder {
 public:
  AffineFolder(ir::Network& network, const FoldSettings& settings)
      : network_(network),
        settings_(settings),
        users_(network.nodes.size()),
        is_argument_(network.nodes.size(), false) {
    for (size_t i = 0; i < network.nodes.size(); ++i) {
      const ir::NetworkNode& node = network.nodes[i];
      for (const ir::AffineTerm& term : node.terms)
        users_[At(term.predecessor)].push_back(static_cast<int>(i));
      if (node.kind == ir::NodeKind::kActivation) is_argument_[At(node.predecessor)] = true;
    }
  }

  void Run() {
    for (size_t i = 1; i < network_.nodes.size(); ++i) {
      const auto id = static_cast<ir::NodeId>(i);
      ir::NetworkNode& node = network_.nodes[i];
      if (node.kind != ir::NodeKind::kAffine) continue;
      MergeTerms(node.terms);
      if (!users_[i].empty() && Pays(id)) Join(id);
    }
  }

 private:
  // Whether every use of the node can be replaced by its terms without more work than before. The node itself
  // goes away unless an activation or the output needs it.
  bool Pays(ir::NodeId id) const {
    const ir::NetworkNode& node = network_.nodes[At(id)];
    if (settings_.keep_input_scale && ScalesInput(node)) return false;
    double before = is_argument_[At(id)] || id == network_.output ? 0 : NodeWork(node);
    double after = 0;
    for (ir::NodeId user : users_[At(id)]) {
      const std::vector<ir::AffineTerm>& uses = network_.nodes[At(user)].terms;
      if (uses.size() + node.terms.size() > kMaxTerms + 1) return false;
      for (const ir::AffineTerm& use : uses) {
        if (use.predecessor != id) continue;
        before += ir::Work(*use.map);
        for (const ir::AffineTerm& term : node.terms) {
          const std::optional<double> work = ir::ComposedWork(*use.map, *term.map);
          if (!work || ResultEntries(*use.map, *term.map) > static_cast<double>(kMaxEntries) ||
              ComputingCost(*use.map, *term.map) > kFoldingBudget)
            return false;
          after += *work;
        }
      }
    }
    return after <= before;
  }

  static bool ScalesInput(const ir::NetworkNode& node) {
    return node.terms.size() == 1 && node.terms[0].predecessor == 0 &&
           std::holds_alternative<ir::ScaleMap>(*node.terms[0].map);
  }

  // Coefficients that a dense product would hold.
  static double ResultEntries(const ir::LinearMap& outer, const ir::LinearMap& inner) {
    const bool dense =
        std::holds_alternative<ir::DenseMap>(outer) || std::holds_alternative<ir::DenseMap>(inner);
    return dense ? static_cast<double>(ir::OutputSize(outer)) * static_cast<double>(ir::InputSize(inner)) : 0;
  }

  static double ComputingCost(const ir::LinearMap& outer, const ir::LinearMap& inner) {
    if (std::holds_alternative<ir::DenseMap>(outer)) {
      return static_cast<double>(ir::OutputSize(outer)) * ir::Work(inner);
    }
    if (std::holds_alternative<ir::DenseMap>(inner))
      return static_cast<double>(ir::InputSize(inner)) * ir::Work(outer);
    return 0;
  }

  struct Joined {
    std::vector<ir::AffineTerm> terms;
    Bias bias;
  };

  // What the consumer becomes with node `id` replaced by its terms; nullopt where that cannot be stored.
  std::optional<Joined> Substituted(const ir::NetworkNode& consumer, ir::NodeId id) const {
    Joined out{{}, Bias(consumer)};
    for (const ir::AffineTerm& use : consumer.terms) {
      if (use.predecessor != id) {
        out.terms.push_back(use);
      } else if (!Substitute(use, network_.nodes[At(id)], out.terms, out.bias)) {
        return std::nullopt;
      }
    }
    return out;
  }

  void Join(ir::NodeId id) {
    const ir::NetworkNode& node = network_.nodes[At(id)];
    std::vector<ir::NodeId> users = users_[At(id)];
    std::sort(users.begin(), users.end());
    users.erase(std::unique(users.begin(), users.end()), users.end());
    std::vector<Joined> results;
    for (ir::NodeId user : users) {
      std::optional<Joined> joined = Substituted(network_.nodes[At(user)], id);
      if (!joined) return;  // joined by some, the node would be computed there and still be needed by others
      results.push_back(*std::move(joined));
    }
    users_[At(id)].clear();
    for (size_t i = 0; i < users.size(); ++i) {
      const ir::NodeId user = users[i];
      ir::NetworkNode& consumer = network_.nodes[At(user)];
      consumer.terms = std::move(results[i].terms);
      std::move(results[i].bias).MoveTo(consumer);
      MergeTerms(consumer.terms);
      for (const ir::AffineTerm& term : node.terms) users_[At(term.predecessor)].push_back(user);
    }
    if (is_argument_[At(id)] || id == network_.output) return;
    for (const ir::AffineTerm& term : node.terms) std::erase(users_[At(term.predecessor)], id);
  }

  ir::Network& network_;
  const FoldSettings& settings_;
  std::vector<std::vector<ir::NodeId>> users_;  // affine nodes with a term from this one; may hold duplicates
  std::vector<bool> is_argument_;               // of an activation
};

}  // namespace

void FoldAffine(ir::Network& network, const FoldSettings& settings) {
  AffineFolder(network, settings).Run();
}

}  // namespace espalier::ops
