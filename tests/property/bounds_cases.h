// Random networks with boxes, planned on a CPU backend, for the property tests of bounds/.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/property/random_network.h"
#include "verifier/bounds/intermediate.h"

namespace espalier::testing {

// A network with a box in stored order and what was planned for it. Seeds are the whole story: print them.
struct BoundsCase {
  explicit BoundsCase(uint64_t seed);
  BoundsCase(Random random, ir::Network made, double max_radius);
  BoundsCase(const BoundsCase&) = delete;
  BoundsCase& operator=(const BoundsCase&) = delete;

  bounds::InputBoxes Boxes() const { return {1, box.lower, box.upper}; }
  bounds::DomainBounds Layers(const bounds::IntermediateSettings& settings) const;
  // Points of the box: its corners (as far as they are few), its centre, and random points, 500 in all.
  std::vector<std::vector<double>> Points(size_t count = 500);
  // `count` dense rows over the outputs with random coefficients and offset zero.
  bounds::HostRows OutputRows(int64_t count);
  // Value of row r at a point: sum of coefficient times output.
  double RowValue(const bounds::HostRows& rows, size_t r,
                  const std::vector<std::vector<double>>& values) const;

  Random random;
  ir::Network network;
  api::Box box;
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<bounds::Plan> plan;
};

}  // namespace espalier::testing
