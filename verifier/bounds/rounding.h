// Outward rounding and the error model. docs/soundness.md derives the constants.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

namespace espalier::bounds {

// Largest T <= value / smallest T >= value. NaN stays NaN.
template <class T>
T RoundDown(double value) {
  if constexpr (std::is_same_v<T, double>) return value;
  T rounded = static_cast<T>(value);
  if (static_cast<double>(rounded) > value)
    rounded = std::nextafter(rounded, -std::numeric_limits<T>::infinity());
  return rounded;
}
template <class T>
T RoundUp(double value) {
  return -RoundDown<T>(-value);
}

// Unit roundoff: relative error of one rounded operation.
template <class T>
constexpr double UnitRoundoff() {
  return static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
}

// γ_n = n·u / (1 - n·u) (Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1): relative error
// of any sum of n products in any order; the factor 1.01 covers the rounding of this expression and of the
// sums it multiplies.
template <class T>
double Gamma(double n) {
  const double nu = n * UnitRoundoff<T>();
  return nu < 0.5 ? 1.01 * nu / (1 - nu) : std::numeric_limits<double>::infinity();
}

// Sums of non-negative numbers have small relative errors: this factor covers them.
inline constexpr double kAgainstRounding = 1.0 + 1e-9;

}  // namespace espalier::bounds
