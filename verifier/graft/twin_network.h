// The difference of twins, networks of the same shape with other weights and hinges, followed beside the base
// network: every value is the base's, and every gap is what the other network's value has more.
//
// Two separate relaxations lose that relu(z1) and relu(z2) move together; here a gap that is small stays
// small (the idea of differential verification: Paulsen et al., ReluDiff, ICSE 2020). With x2 = x1 + D:
//   affine      D_out = W2 D_in + (W2 - W1) x1 + (b2 - b1)
//   activation  D = f2(z2) - f1(z1) = m D_z + (f2 - f1)(z1) + e,  e = f2(z2) - f2(z1) - m D_z
// (f2 - f1) is one hinge over z1: exact for a neuron that was made a line (f2 linear: m its slope, e = 0).
// The slack e of a neuron with a kink depends on z1 and z2; it becomes a further input of the network, and
// SlackRange gives its interval from bounds of z1, z2 and D_z. So the result is an ordinary Network.
//
//   auto choices = ...;  // slope m per neuron and whether it needs a slack
//   TwinNetwork twin = MakeTwin(base, other, choices);
//   // inputs of twin.network: those of base in stored order, then the slacks in order of choices
#pragma once

#include <vector>

#include "verifier/ir/network.h"

namespace espalier::graft {

struct Interval {
  double lower = 0, upper = 0;
};

// Same nodes, terms, sizes and input order, so that values can be paired; hinges that folding did not round.
bool AreTwins(const ir::Network& base, const ir::Network& other);

// How the gap goes through one activation layer, per neuron.
struct GapLines {
  std::vector<double> slope;  // m
  std::vector<bool> slack;    // e may be other than 0
};

struct TwinNetwork {
  ir::Network network;          // its output: the gap of the outputs
  std::vector<ir::NodeId> gap;  // of each base node: the node with its gap; -1: exactly 0
  // Of each activation of `network`, in topological order: the base node whose pre-activation bounds it has.
  std::vector<ir::NodeId> bounded_by;
  bool output_is_zero = false;  // the networks compute the same function term by term
};

// `lines`: one per base node, empty for nodes that are no activations. Twins only.
TwinNetwork MakeTwin(const ir::Network& base, const ir::Network& other, const std::vector<GapLines>& lines);

// Interval of f(z2) - f(z1) - m (z2 - z1) for the kink at 0 with slopes `left` and `right`, outward. Bounds
// that are not finite give an interval without ends.
struct GapBounds {
  Interval z1, z2, gap;
};
Interval SlackRange(double left, double right, double m, const GapBounds& bounds);

}  // namespace espalier::graft
