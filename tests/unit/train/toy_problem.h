// A small image problem that a few epochs solve, and networks for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "verifier/backend/backend.h"
#include "verifier/base/dataset.h"
#include "verifier/ir/network.h"

namespace espalier::train {

// `samples` images 2x6x6 in [0,1]; the label says which of three stripes is bright.
Dataset StripeData(int64_t samples, uint64_t seed);

// Convolution, relu, dense, relu, dense.
ir::Network SmallNetwork(uint64_t seed);
// With a residual block and normalisation.
ir::Network ResidualNetwork(uint64_t seed);

// Every `step`-th neuron of every activation becomes the line slope * x + intercept.
void GraftEvery(ir::Network& network, size_t step, double slope, double intercept);

std::unique_ptr<backend::Backend> OneThread();
Samples AllOf(const Dataset& data);

}  // namespace espalier::train
