// BoxDomain: one subproblem of the branch and bound over the input box.
//
// A part of a box, and on it the sides some neurons are on: found to be (in the whole part), or assumed by a
// split. What an assumption means in terms of inputs is kept as a cut: an affine function that is <= 0
// wherever the assumption holds. Bounds of a child are never looser for what its parent knew.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "verifier/bounds/neuron_signs.h"
#include "verifier/search/combine.h"
#include "verifier/search/frontier.h"

namespace espalier::search {

struct BoxDomain {
  int32_t box = 0;
  double bound = 0;                  // lowest margin over its targets' best rows
  std::vector<double> lower, upper;  // of the free inputs only
  std::vector<int32_t> targets;      // open here
  bounds::NeuronSigns signs;
  AffineBounds cuts;  // over the free inputs
  // The box before the first assumption was made on it: what a checkpoint says of all that came from it.
  // Null: none was made.
  std::shared_ptr<const BoxPart> origin = nullptr;

  BoxPart Part() const { return {box, static_cast<float>(bound), lower, upper, targets}; }

  int64_t Bytes() const {
    const size_t doubles =
        lower.capacity() + upper.capacity() + cuts.lambda.capacity() + cuts.constant.capacity();
    return static_cast<int64_t>(sizeof(BoxDomain) + 64 + 8 * doubles + 4 * targets.capacity()) +
           signs.bytes();
  }
};

}  // namespace espalier::search
