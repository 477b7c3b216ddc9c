// Does a point with given outputs lie in a disjunct's rows, and by how much. The sign of every row is exact:
// sums and products are carried out without rounding errors, so "violates" never depends on the order of
// terms.
#pragma once

#include "absl/types/span.h"
#include "verifier/api/property.h"

namespace espalier::check {

struct RowSlack {
  double slack = 0;  // rhs - left side, nearest double, exact sign; NaN when a value is not finite
  double scale = 0;  // |rhs| + sum of |terms|: what rounding errors are relative to
};

// Requires: the row's indices lie inside x and y.
RowSlack MeasureRow(const api::LinearRow& row, absl::Span<const double> x, absl::Span<const double> y);

// True when all rows hold (strictly where the row is strict). A disjunct without rows is violated everywhere.
// NaN and infinite values, and indices outside x and y, violate nothing.
bool Violates(const api::Disjunct& disjunct, absl::Span<const double> x, absl::Span<const double> y);

// The smallest slack over the rows: what an attack maximises. +infinity without rows, -infinity where
// Violates could not be true whatever the slack (NaN, wrong sizes). >= 0 is Violates but for strict rows.
double ViolationMargin(const api::Disjunct& disjunct, absl::Span<const double> x, absl::Span<const double> y);

}  // namespace espalier::check
