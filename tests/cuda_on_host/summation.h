// The orders in which a product of matrices may sum, from friendly to adversarial. cuBLAS promises none of
// them; the allowances of docs/soundness.md are claimed for all.
//
//   double sum = SumInOrder(Summation::kDescending, terms, random);   // rearranges `terms`
#pragma once

#include <random>
#include <string>
#include <vector>

namespace cuda_on_host {

enum class Summation {
  kLibrary,     // OpenBLAS, whatever it does
  kForward,     // first to last, one accumulator
  kReverse,     // last to first
  kPairwise,    // halves, halves of halves, ...
  kAscending,   // by magnitude, small ones first
  kDescending,  // large ones first: what is small is lost against them
  kSigns,       // all positive terms before the negative ones: the largest intermediate sums
  kRandom,
};

struct NamedSummation {
  Summation order;
  const char* name;  // as ESPALIER_CUDA_ON_HOST spells it after "sum="
};
const std::vector<NamedSummation>& AllSummations();

// T: float or double. Every addition is rounded to T. Not for kLibrary.
template <class T>
T SumInOrder(Summation order, std::vector<T>& terms, std::mt19937_64& random);

}  // namespace cuda_on_host
