#include "verifier/formats/vnnlib_linear.h"

#include <algorithm>
#include <cmath>

namespace espalier::formats {

void LinearExpression::Scale(double factor) {
  constant *= factor;
  for (auto& term : terms) term.second *= factor;
}

void LinearExpression::Divide(double divisor) {
  constant /= divisor;
  for (auto& term : terms) term.second /= divisor;
}

void LinearExpression::Add(LinearExpression&& other) {
  constant += other.constant;
  if (other.terms.size() > terms.size()) terms.swap(other.terms);
  terms.insert(terms.end(), other.terms.begin(), other.terms.end());
}

void LinearExpression::Normalise() {
  // Stable: repeats are added up in the order they were written in, the same on every machine.
  const auto by_variable = [](const auto& a, const auto& b) { return a.first < b.first; };
  if (!std::is_sorted(terms.begin(), terms.end(), by_variable)) {
    std::stable_sort(terms.begin(), terms.end(), by_variable);
  }
  size_t kept = 0;
  for (size_t i = 0; i < terms.size();) {
    std::pair<int32_t, double> sum = terms[i];
    for (++i; i < terms.size() && terms[i].first == sum.first; ++i) sum.second += terms[i].second;
    if (sum.second != 0) terms[kept++] = sum;
  }
  terms.resize(kept);
}

bool LinearExpression::IsFinite() const {
  return std::isfinite(constant) &&
         std::all_of(terms.begin(), terms.end(), [](const auto& t) { return std::isfinite(t.second); });
}

}  // namespace espalier::formats
