// Verifiers side by side: what each decides, how fast, and where they differ.
//
//   Comparison comparison = Compare({espalier, reference}, {.limit_s = 60});
//   std::string html = ComparisonPage(comparison);
//
// A result is wrong when it is not the known one, when its witness is false, or, where nothing is known, when
// two verifiers contradict each other (then both count as wrong: at least one is). Wrong results are not
// solved.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/report/verifier_results.h"

namespace espalier::client::report {

struct ComparisonSettings {
  double limit_s = 0;  // later results count as timeouts; 0: results as they are
};

struct ComparedInstance {
  InstanceKey key;
  std::string known;                    // "sat", "unsat" or empty
  std::vector<VerifierResult> results;  // one for each verifier; empty `result`: not run
  std::vector<bool> wrong;

  bool Solved(size_t verifier) const { return results[verifier].solved() && !wrong[verifier]; }
};

struct Comparison {
  std::vector<std::string> names;
  std::vector<ComparedInstance> instances;  // by benchmark, model and query
  double limit_s = 0;                       // drawn in the charts: as set, else the largest of the files

  bool AnyWrong() const;
};

Comparison Compare(const std::vector<VerifierResults>& verifiers, const ComparisonSettings& settings);

// Geometric mean of `first`'s time over `second`'s, over the instances that both solve.
struct TimeRatio {
  double mean = 0;  // 0 when there are none
  int instances = 0;
};
TimeRatio TimeRatioOf(const std::vector<const ComparedInstance*>& instances, size_t first, size_t second);

std::string ComparisonText(const Comparison& comparison);
std::string ComparisonPage(const Comparison& comparison);  // one self-contained HTML file

}  // namespace espalier::client::report
