#include "summation.h"

#include <algorithm>
#include <cmath>

namespace cuda_on_host {
namespace {

template <class T>
T Pairwise(const T* terms, size_t count) {
  if (count == 0) return T(0);
  if (count == 1) return terms[0];
  const size_t half = count / 2;
  return Pairwise(terms, half) + Pairwise(terms + half, count - half);
}

template <class T>
void Arrange(Summation order, std::vector<T>& terms, std::mt19937_64& random) {
  const auto smaller = [](T a, T b) { return std::fabs(a) < std::fabs(b); };
  switch (order) {
    case Summation::kReverse:
      std::reverse(terms.begin(), terms.end());
      return;
    case Summation::kAscending:
      std::sort(terms.begin(), terms.end(), smaller);
      return;
    case Summation::kDescending:
      std::sort(terms.rbegin(), terms.rend(), smaller);
      return;
    case Summation::kSigns:
      std::stable_partition(terms.begin(), terms.end(), [](T v) { return v > T(0); });
      return;
    case Summation::kRandom:
      std::shuffle(terms.begin(), terms.end(), random);
      return;
    default:
      return;
  }
}

}  // namespace

const std::vector<NamedSummation>& AllSummations() {
  static const auto* all = new std::vector<NamedSummation>{
      {Summation::kLibrary, "library"},     {Summation::kForward, "forward"},
      {Summation::kReverse, "reverse"},     {Summation::kPairwise, "pairwise"},
      {Summation::kAscending, "ascending"}, {Summation::kDescending, "descending"},
      {Summation::kSigns, "signs"},         {Summation::kRandom, "random"},
  };
  return *all;
}

template <class T>
T SumInOrder(Summation order, std::vector<T>& terms, std::mt19937_64& random) {
  // An order of what is not a number is none.
  if (std::none_of(terms.begin(), terms.end(), [](T v) { return std::isnan(v); })) {
    Arrange(order, terms, random);
  }
  if (order == Summation::kPairwise) return Pairwise(terms.data(), terms.size());
  T sum = T(0);
  for (const T term : terms) sum += term;
  return sum;
}

template float SumInOrder(Summation, std::vector<float>&, std::mt19937_64&);
template double SumInOrder(Summation, std::vector<double>&, std::mt19937_64&);

}  // namespace cuda_on_host
