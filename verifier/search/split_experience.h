// What splits were expected to gain and what they gained, layer by layer.
//
// The score of a neuron (tightening.h) follows its looseness through later layers to first order. That is
// right for the last layer and too little for the first ones, where what a split tightens tightens what is
// behind it again: by a factor of fifty for MNIST 256x6. The factor of a layer is much the same all over a
// search, so it is learned there (a pseudo-cost: Benichou et al., Math. Programming 1, 1971, with the score
// in the place of the fractionality).
//
//   SplitExperience experience;
//   auto next = experience.Best(candidates, /*first=*/true);   // to be tried
//   experience.Note(*next, log_roots);
#pragma once

#include <map>
#include <vector>

#include "verifier/search/domain.h"

namespace espalier::search {

class SplitExperience {
 public:
  // The candidate with the largest gain expected. A part's first one is of a layer that was tried before,
  // where there is any, so that it has what is known to be good; then those of layers that never were have
  // their turn. The list is not empty.
  std::vector<Candidate>::iterator Best(std::vector<Candidate>& candidates, bool first) const;
  // `log_roots`: log2 of the roots below its two halves; its inverse is what an even split would gain on both
  // sides.
  void Note(const Candidate& candidate, double log_roots);

 private:
  struct Layer {
    double log_factor = 0;  // sum over the trials
    int trials = 0;
  };
  double Expected(const Candidate& candidate) const;

  std::map<int16_t, Layer> layers_;
};

}  // namespace espalier::search
