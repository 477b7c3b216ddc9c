// Branch and bound over the input box, for networks with few inputs: thousands of boxes a batch, every bound
// in float64.
//
// Each box gets its own interval and CROWN bounds (all layers), certified as they are; a target leaves the
// box when one of its rows is positive, the box closes when all its targets have left. A box is halved along
// the input whose coefficient times width contributes most to the open rows' bounds ("smears").
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/combine.h"
#include "verifier/search/problem.h"
#include "verifier/search/relu_bab.h"

namespace espalier::search {

class InputBab {
 public:
  explicit InputBab(Run& run);

  // Decides all open targets from their boxes.
  absl::StatusOr<SearchEnd> Search();

 private:
  struct BoxDomain {
    int32_t box = 0;
    double bound = 0;                  // lowest margin over its targets' best rows
    std::vector<double> lower, upper;  // of the free inputs only
    std::vector<int32_t> targets;      // open here
  };
  struct PairRows {  // rows [begin, end) of a batch belong to one target on one domain
    size_t domain = 0;
    int32_t target = 0;
    size_t begin = 0, end = 0;
  };
  struct Outcome;

  bounds::InputBoxes Expand(const std::vector<BoxDomain>& domains) const;
  absl::StatusOr<SearchEnd> Loop();
  absl::StatusOr<bool> Process(std::vector<BoxDomain> domains);
  absl::Status Bound(const std::vector<BoxDomain>& domains, Outcome& outcome);
  void Digest(const std::vector<BoxDomain>& domains, const PairRows& pair, const std::vector<double>& margin,
              const bounds::RowDetails& details, Outcome& outcome);
  AffineBounds FreePart(const std::vector<int32_t>& free, const PairRows& pair,
                        const std::vector<double>& margin, const bounds::RowDetails& details) const;
  absl::StatusOr<bool> Candidates(const Outcome& outcome);
  void Split(const BoxDomain& domain, const std::vector<double>& smear);
  void Push(BoxDomain domain);
  std::vector<BoxDomain> Pop(int64_t count);

  Run& run_;
  int64_t batch_;
  int64_t budget_bytes_;
  std::vector<std::vector<int32_t>> free_inputs_;  // per box
  std::vector<int64_t> open_of_target_;
  std::multimap<double, BoxDomain> open_;
  int64_t closed_ = 0;
  int64_t rounds_ = 0;
  int64_t unresolved_ = 0;
};

}  // namespace espalier::search
