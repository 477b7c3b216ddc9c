#include "verifier/check/violation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace espalier::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A sum without rounding errors: Shewchuk, "Adaptive precision floating-point arithmetic" (1997),
// GROW-EXPANSION with zero elimination. Components do not overlap and increase in magnitude, so the last one
// has the sign of the sum.
class ExactSum {
 public:
  void Add(double value) {
    double carry = value;
    size_t kept = 0;
    for (const double component : components_) {
      const double sum = carry + component;
      const double part = sum - carry;
      const double error = (carry - (sum - part)) + (component - part);
      if (error != 0) components_[kept++] = error;
      carry = sum;
    }
    components_.resize(kept);
    if (carry != 0) components_.push_back(carry);
  }

  // a * b; exact unless the product's last bits underflow (below 1e-292).
  void AddProduct(double a, double b) {
    const double product = a * b;
    Add(std::fma(a, b, -product));
    Add(product);
  }

  double Value() const {
    double sum = 0;
    for (const double component : components_) sum += component;
    return sum;
  }

 private:
  std::vector<double> components_;
};

bool IndicesFit(const std::vector<std::pair<int32_t, double>>& terms, size_t size) {
  return std::all_of(terms.begin(), terms.end(),
                     [size](const auto& t) { return t.first >= 0 && static_cast<size_t>(t.first) < size; });
}

bool IndicesFit(const api::LinearRow& row, absl::Span<const double> x, absl::Span<const double> y) {
  return IndicesFit(row.input, x.size()) && IndicesFit(row.output, y.size());
}

}  // namespace

RowSlack MeasureRow(const api::LinearRow& row, absl::Span<const double> x, absl::Span<const double> y) {
  ExactSum sum;
  RowSlack result;
  sum.Add(row.rhs);
  result.scale = std::abs(row.rhs);
  const auto subtract = [&](const std::vector<std::pair<int32_t, double>>& terms,
                            absl::Span<const double> values) {
    for (const auto& [index, coefficient] : terms) {
      const double value = values[static_cast<size_t>(index)];
      sum.AddProduct(-coefficient, value);
      result.scale += std::abs(coefficient * value);
    }
  };
  subtract(row.input, x);
  subtract(row.output, y);
  result.slack = sum.Value();
  if (!std::isfinite(result.scale) || !std::isfinite(result.slack)) {
    result.slack = std::numeric_limits<double>::quiet_NaN();
  }
  return result;
}

bool Violates(const api::Disjunct& disjunct, absl::Span<const double> x, absl::Span<const double> y) {
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(x.begin(), x.end(), finite) || !std::all_of(y.begin(), y.end(), finite)) return false;
  return std::all_of(disjunct.rows.begin(), disjunct.rows.end(), [&](const api::LinearRow& row) {
    if (!IndicesFit(row, x, y)) return false;
    const double slack = MeasureRow(row, x, y).slack;
    return row.strict ? slack > 0 : slack >= 0;
  });
}

double ViolationMargin(const api::Disjunct& disjunct, absl::Span<const double> x,
                       absl::Span<const double> y) {
  double margin = kInfinity;
  for (const api::LinearRow& row : disjunct.rows) {
    if (!IndicesFit(row, x, y)) return -kInfinity;
    const double slack = MeasureRow(row, x, y).slack;
    if (std::isnan(slack)) return -kInfinity;
    margin = std::min(margin, slack);
  }
  return margin;
}

}  // namespace espalier::check
