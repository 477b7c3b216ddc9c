// The slow and obvious truth about tiny networks: every feasible activation pattern is one linear program.
//
// A depth-first walk over the hinge neurons fixes their signs in topological order. Under a fixed prefix
// every neuron is an affine function of the inputs, so "is this pattern feasible" and "how far into the
// unsafe set can it go" are linear programs in the inputs alone (solved with Clp). The walk shares nothing
// with bounds/ and search/ and is linked only into tests. Meant for at most about 6 inputs and 14 hinges
// whose sign the box leaves open.
//
//   auto answer = oracle::DecideProperty(network, property);
//   if (answer->reach == oracle::Reach::kUnreachable) ...   // the verdict must be unsat
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/api/property.h"
#include "verifier/ir/network.h"

namespace espalier::oracle {

// Margins closer to 0 than this are left undecided: linear programs are solved to about 1e-9.
inline constexpr double kBand = 1e-6;

enum class Reach {
  kReachable,    // the witness violates by at least kBand in plain double evaluation
  kUnreachable,  // every pattern's optimum misses by at least kBand
  kAmbiguous,
};

struct Answer {
  Reach reach = Reach::kUnreachable;
  // min over the box of max over the rows of (left side - rhs); +infinity when there is nothing to reach,
  // -infinity for a disjunct without rows. Of a property: the smallest over its disjuncts.
  double margin = 0;
  std::vector<double>
      witness;           // where the margin is attained, ONNX order, inside the box; empty for no disjuncts
  int64_t patterns = 0;  // feasible activation patterns looked at
};

// INTERNAL when an LP could not be solved or its optimum does not agree with evaluating the network there.
absl::StatusOr<Answer> DecideDisjunct(const ir::Network& network, const api::Property& property,
                                      size_t disjunct);
absl::StatusOr<Answer> DecideProperty(const ir::Network& network, const api::Property& property);

}  // namespace espalier::oracle
