// Branch and bound over the input box, for networks with few inputs: thousands of boxes a batch, every bound
// in float64.
//
// Each box gets its own interval and CROWN bounds (all layers), certified as they are; a target leaves the
// box when one of its rows, or a combination of them, is positive; the box closes when all its targets have
// left, and shrinks to what the affine bounds leave otherwise. A box with few unstable neurons is split at
// one of them, which makes the network linear on it in a few steps; any other is halved along the input that
// contributes most to the open bounds, by itself or through the neurons it keeps unstable.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/box_batch.h"
#include "verifier/search/box_domain.h"
#include "verifier/search/problem.h"
#include "verifier/search/relu_bab.h"

namespace espalier::search {

class InputBab {
 public:
  explicit InputBab(Run& run);
  InputBab(const InputBab&) = delete;
  InputBab& operator=(const InputBab&) = delete;
  ~InputBab();  // at once: many domains are freed behind

  // Decides all open targets from their boxes.
  absl::StatusOr<SearchEnd> Search();
  // Goes on with what an earlier run left open: all there is of every open target.
  absl::StatusOr<SearchEnd> Search(const std::vector<BoxPart>& left);
  // All that is not refuted: queued, being bounded, given up.
  void Save(std::vector<BoxPart>& left) const;

 private:
  absl::StatusOr<SearchEnd> Loop();
  // Bounds a batch; true when a witness was found.
  absl::StatusOr<bool> Process(std::vector<BoxDomain> domains);
  absl::StatusOr<bool> Candidates(const BoxBatch& batch);
  absl::Status SplitAll(const BoxBatch& batch, std::vector<BoxDomain>& domains);
  void Halve(const BoxDomain& domain, const BoxOutcome& outcome);
  absl::Status SplitNeurons(const BoxBatch& batch, const std::vector<BoxDomain>& domains,
                            const std::vector<size_t>& chosen);
  void Close(const BoxDomain& domain);
  void Push(BoxDomain domain);
  std::vector<BoxDomain> Pop(int64_t count);

  Run& run_;
  int64_t budget_bytes_;
  std::vector<std::vector<int32_t>> free_inputs_;  // per box
  std::vector<int64_t> open_of_target_;
  std::multimap<double, BoxDomain> open_;
  int64_t open_bytes_ = 0;
  int64_t closed_ = 0;
  int64_t rounds_ = 0;
  std::vector<BoxDomain> in_flight_;  // no cuts, no signs
  std::vector<BoxDomain> given_up_;   // points that neither bound nor replay decided; the same
  bool rowless_ = false;              // some target has nothing to bound: only a replayed point can decide it
};

}  // namespace espalier::search
