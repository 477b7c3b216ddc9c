// Sums and products of the terms of affine nodes.
#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "verifier/ir/compose.h"
#include "verifier/ir/entries.h"
#include "verifier/ir/exact_sum.h"
#include "verifier/ops/fold_passes.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {

namespace {

// bias + outer * inner's bias, with everything that one double per neuron leaves over.
bool AddProduct(const ir::AffineTerm& use, const ir::NetworkNode& inner, Bias& to) {
  std::vector<ir::ExactSum> sums(to.bias.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i].Add(to.bias[i]);
    if (!to.bias_residual.empty()) sums[i].Add(to.bias_residual[i]);
  }
  bool changed = false;
  ir::ForEachEntry(*use.map, [&](double coefficient, int64_t row, int64_t column) {
    const auto c = static_cast<size_t>(column);
    if (coefficient == 0 || inner.bias[c] == 0) return;
    changed = true;
    ir::ExactSum& sum = sums[static_cast<size_t>(row)];
    sum.AddProduct(coefficient, inner.bias[c]);
    if (!inner.bias_residual.empty()) sum.AddProduct(coefficient, inner.bias_residual[c]);
  });
  if (!changed) return true;
  ir::RoundingBound bound(std::max(to.bias_roundings, use.roundings + inner.bias_roundings));
  for (const ir::ExactSum& sum : sums) {
    if (!bound.Accept(sum, /*keeps_residual=*/true)) return false;
  }
  to.bias_residual.resize(sums.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    to.bias[i] = sums[i].result();
    to.bias_residual[i] = sums[i].residual();
  }
  to.bias_roundings = bound.roundings();
  return true;
}

}  // namespace

void Bias::MoveTo(ir::NetworkNode& node) && {
  node.bias = std::move(bias);
  node.bias_residual = std::move(bias_residual);
  node.bias_roundings = bias_roundings;
}

void MergeTerms(std::vector<ir::AffineTerm>& terms) {
  std::vector<ir::AffineTerm> merged;
  for (ir::AffineTerm& term : terms) {
    const bool added = std::any_of(merged.begin(), merged.end(), [&](ir::AffineTerm& other) {
      if (other.predecessor != term.predecessor) return false;
      double roundings = std::max(other.roundings, term.roundings);
      auto sum = ir::Sum(*other.map, *term.map, &roundings);
      if (!sum || ir::Work(*sum) > ir::Work(*other.map) + ir::Work(*term.map)) return false;
      other.map = MakeMap(*std::move(sum));
      other.roundings = roundings;
      return true;
    });
    if (!added) merged.push_back(std::move(term));
  }
  terms.clear();
  for (ir::AffineTerm& term : merged) {
    if (!ir::IsZero(*term.map)) terms.push_back(std::move(term));
  }
}

bool Substitute(const ir::AffineTerm& use, const ir::NetworkNode& inner, std::vector<ir::AffineTerm>& terms,
                Bias& bias) {
  std::vector<ir::AffineTerm> products;
  for (const ir::AffineTerm& term : inner.terms) {
    double roundings = use.roundings + term.roundings;
    auto product = ir::Compose(*use.map, *term.map, &roundings);
    if (!product || roundings > ir::kMaxRoundings) return false;
    products.push_back({term.predecessor, MakeMap(*std::move(product)), roundings});
  }
  if (!AddProduct(use, inner, bias)) return false;
  std::move(products.begin(), products.end(), std::back_inserter(terms));
  return true;
}

}  // namespace espalier::ops
