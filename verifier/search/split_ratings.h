// What splits of a neuron gained in look-ahead, for the score they had: a pseudo-cost of each neuron
// (Benichou et al., Math. Programming 1, 1971, with the score of branching.h in the place of the
// fractionality).
//
// The score sees one layer and one pass; by how much it is wrong for a neuron is much the same in all domains
// of a search. Of many candidates by score, few need be looked at when those are the ones that ratings expect
// the most of.
//
//   SplitRatings ratings;
//   std::vector<int> tried = ratings.Select(candidates, neurons, 4);
//   for (int c : tried) ratings.Note(neurons[c], candidates[c].score / scale, gain[c] / scale);
//
// Neurons are those of the plan (Plan::activation_begin), so that ratings serve several roots of one network.
// Not thread-safe; the same calls in the same order give the same selection.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/search/domain.h"

namespace espalier::search {

class SplitRatings {
 public:
  // Indices of at most `count` of the candidates, which are the best by score first, `neurons` beside them:
  // the first one, then one that was hardly ever looked at, if there is any, then those with the largest gain
  // expected.
  std::vector<int> Select(const std::vector<Candidate>& candidates, const std::vector<int64_t>& neurons,
                          int64_t count) const;

  // The split of `neuron`, whose score was `score`, has gained `gain`, both in the same unit, of which the
  // domain's bound is the natural one.
  void Note(int64_t neuron, double score, double gain);

 private:
  struct Rating {
    double score = 0, gain = 0;  // means over the last trials
    int trials = 0;
  };
  const Rating& Of(int64_t neuron) const;

  std::vector<Rating> ratings_;  // by neuron, as far as any was noted
};

}  // namespace espalier::search
