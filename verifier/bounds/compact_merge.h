// Linear neurons of a compact network multiplied into what reads them, where that is less work.
//
// A pre-activation that no unstable neuron takes (its hinge is a line on the root's box: stably active, or
// grafted) is only passed through: its readers may as well read what it reads. Whether the products have
// fewer entries than the factors depends on the network: lines in front of a dense layer go away almost
// entirely, those between two convolutions often stay. Decided per stage, from the last to the first, by
// counting.
#pragma once

#include "verifier/backend/compact.h"

namespace espalier::bounds {

// Slots are renumbered; unstable neurons, outputs and stages keep their places. The function of the network
// is the same up to float32 rounding.
void MergeLinearSlots(backend::CompactNetwork& network);

}  // namespace espalier::bounds
