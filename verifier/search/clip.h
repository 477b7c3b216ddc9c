// Domain clipping: the part of a box in which affine lower bounds allow all rows to be violated.
//
// A point is unsafe only where every row's value is <= 0, so every affine lower bound of a row is <= 0 there.
// One such plane over a box cuts off, along each input, all that lies further from the corner where the plane
// is lowest than the plane takes to climb to zero. Cuts by one row raise what the others attain, so the rows
// take turns. (The relaxed clipping of Zhou et al. 2025, Clip-and-Verify, arXiv 2512.11087; a contractor in
// interval methods.)
#pragma once

#include <vector>

#include "verifier/search/combine.h"

namespace espalier::search {

// Shrinks [lower, upper], rounding outward; false when nothing is left: no point of the box is unsafe.
bool ClipBox(const AffineBounds& rows, std::vector<double>& lower, std::vector<double>& upper);

}  // namespace espalier::search
