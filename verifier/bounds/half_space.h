// A half-space of the inputs, and lower bounds that need hold only inside it.
//
// Who looks for a counterexample needs bounds only where one can be. A certified lower bound normal·x +
// offset of the property's margin says where: points with normal·x + offset > 0 are safe. Bounds of neurons
// on the rest of the box are tighter than on all of it (the constraint of Kotha et al. 2023, "Provably
// bounding neural network preimages", after the margin has been bounded by a plane). They hold for the one
// disjunct whose margin it is, and may be used for nothing else.
//
//   HalfSpace plane = PlaneOf(lower, lambda, corner, boxes);    // {x : normal·x + offset <= 0}
//   double tighter = BoundInside(plane, lower, lambda, corner, boxes);
#pragma once

#include "verifier/backend/compact.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

struct HalfSpace {
  std::vector<double> normal;  // [inputs]
  double offset = 0;
};

// A certified linear bound of a row over one box: row(x) >= lower + lambda·(x - corner) for all x of the box.
struct RowPlane {
  double lower = 0;                // certified minimum, at `corner`
  const double* lambda = nullptr;  // [inputs]
  const double* corner = nullptr;  // [inputs]
};

// {x of the box: the row's linear bound is not positive}, with rounding outward.
HalfSpace PlaneOf(const RowPlane& row, const InputBoxes& boxes);

// Certified lower bound of the row over the box inside the half-space; never below row.lower.
double BoundInside(const HalfSpace& plane, const RowPlane& row, const InputBoxes& boxes);

backend::CompactHalfSpace ToCompact(const HalfSpace& plane);

}  // namespace espalier::bounds
