// Sums and products of the terms of affine nodes.
#include <algorithm>
#include <utility>
#include <vector>

#include "verifier/ir/compose.h"
#include "verifier/ops/fold_passes.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {

void MergeTerms(std::vector<ir::AffineTerm>& terms) {
  std::vector<ir::AffineTerm> merged;
  for (ir::AffineTerm& term : terms) {
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const ir::AffineTerm& other) {
      if (other.predecessor != term.predecessor) return false;
      const auto sum = ir::Sum(*other.map, *term.map);
      return sum && ir::Work(*sum) <= ir::Work(*other.map) + ir::Work(*term.map);
    });
    if (same == merged.end()) {
      merged.push_back(std::move(term));
    } else {
      same->map = MakeMap(*ir::Sum(*same->map, *term.map));
    }
  }
  terms.clear();
  for (ir::AffineTerm& term : merged) {
    if (!ir::IsZero(*term.map)) terms.push_back(std::move(term));
  }
}

bool Substitute(const ir::LinearMap& outer, const ir::NetworkNode& inner, std::vector<ir::AffineTerm>& terms,
                std::vector<double>& bias) {
  std::vector<ir::AffineTerm> products;
  for (const ir::AffineTerm& term : inner.terms) {
    auto product = ir::Compose(outer, *term.map);
    if (!product) return false;
    products.push_back({term.predecessor, MakeMap(*std::move(product))});
  }
  std::move(products.begin(), products.end(), std::back_inserter(terms));
  ir::Apply(outer, inner.bias.data(), bias.data());
  return true;
}

}  // namespace espalier::ops
