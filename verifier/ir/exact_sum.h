// Sums of products in twice the working precision, for coefficients that are computed once and then trusted.
//
//   ExactSum sum;
//   sum.AddProduct(0x1p30, 0x1p30), sum.AddProduct(1, 1), sum.AddProduct(-0x1p30, 0x1p30);
//   sum.result();  // 1; plain double gives 0
//
//   RoundingBound bound(0);                     // factors are the real ones
//   if (!bound.Accept(sum)) return std::nullopt;  // the double may be too far from the real value: do not
//   fold
//
// Every part that an addition loses is itself a double and is added up, so `lost` bounds the error whatever
// the number of terms. Ogita, Rump, Oishi: "Accurate sum and dot product" (2005), Dot2.
//
// Needs round-to-nearest and no reordering (-ffast-math). Contraction of a * b + c into one instruction would
// break the product, and is shut out where the target has that instruction.
#pragma once

#include <algorithm>
#include <cmath>

namespace espalier::ir {

class ExactSum {
 public:
  void Add(double x) {
    magnitude_ += std::fabs(x);
    Accumulate(x, 0);
  }

  void AddProduct(double a, double b) {
    const double product = Product(a, b);
    magnitude_ += std::fabs(product);
    // The product's last bits may lie below the smallest double.
    if (std::fabs(product) < 0x1p-960 && a != 0 && b != 0) lost_ += 0x1p-1070;
    Accumulate(product, std::fma(a, b, -product));
  }

  // The sum, rounded once, and what that rounding leaves over (exactly).
  double result() const { return high_ + low_; }
  double residual() const { return ErrorOfSum(high_, low_, result()); }
  // The real sum is result() + residual() up to this much.
  double lost() const { return lost_; }
  // Sum of the terms' magnitudes, itself in plain double. Infinite or NaN when anything overflowed.
  double magnitude() const { return magnitude_; }

 private:
  static double Product(double a, double b) {
#ifdef __FP_FAST_FMA
    return std::fma(a, b, 0.0);
#else
    return a * b;
#endif
  }

  // a + b - sum, exactly, for sum = a + b rounded.
  static double ErrorOfSum(double a, double b, double sum) {
    const double part = sum - a;
    return (a - (sum - part)) + (b - part);
  }

  void Accumulate(double x, double tail) {
    const double high = high_ + x;
    const double error = ErrorOfSum(high_, x, high);
    const double tails = error + tail;
    const double low = low_ + tails;
    lost_ += std::fabs(ErrorOfSum(error, tail, tails)) + std::fabs(ErrorOfSum(low_, tails, low));
    high_ = high;
    low_ = low;
  }

  double high_ = 0, low_ = 0, lost_ = 0, magnitude_ = 0;
};

// How far folded coefficients may be from the real ones, relative to themselves, in units of 2^-53. The bound
// engine's error terms have room for this many.
inline constexpr double kMaxRoundings = 3.5;

// Collects that distance over the coefficients of one result.
class RoundingBound {
 public:
  // operands: the same distance for the terms of the sums (for products: of both factors together).
  explicit RoundingBound(double operands) : operands_(operands) {}

  // Counts one coefficient. false: it may be further off than kMaxRoundings, because terms cancel, or it is
  // not finite. keeps_residual: the caller stores the residual as well, so that rounding is not counted yet.
  bool Accept(const ExactSum& sum, bool keeps_residual = false) {
    const double value = std::fabs(sum.result());
    if (!std::isfinite(value) || !std::isfinite(sum.magnitude()) || !(sum.lost() <= 0x1p-60 * value)) {
      return false;
    }
    const double error = operands_ * sum.magnitude() + sum.lost() * 0x1p53;
    const double carried = error == 0 ? 0 : error / value;
    const double stored = carried + (sum.residual() == 0 ? 0 : 1);
    roundings_ = std::max(roundings_, keeps_residual ? carried : stored);
    return stored <= kMaxRoundings;
  }

  double roundings() const { return roundings_; }

 private:
  double operands_ = 0, roundings_ = 0;
};

}  // namespace espalier::ir
