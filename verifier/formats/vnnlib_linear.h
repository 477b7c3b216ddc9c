// Linear expressions as the VNN-LIB parser collects them: a constant plus coefficients of variables.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace espalier::formats {

struct LinearExpression {
  double constant = 0;
  absl::InlinedVector<std::pair<int32_t, double>, 2> terms;  // (variable, coefficient), repeats allowed

  bool IsConstant() const { return terms.empty(); }

  void Scale(double factor);
  void Divide(double divisor);  // not Scale(1 / divisor), which would round twice

  // this += other. `other` is consumed: the longer list of terms is kept, so that deep nests of sums stay
  // cheap.
  void Add(LinearExpression&& other);

  // Sorts by variable, adds up repeats and drops coefficients that are 0.
  void Normalise();

  // False when the constant or a coefficient is infinite or NaN.
  bool IsFinite() const;
};

}  // namespace espalier::formats
