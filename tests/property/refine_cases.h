// What refined bounds are compared by and checked against.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "tests/property/split_cases.h"
#include "verifier/bounds/refine.h"
#include "verifier/search/part_root.h"
#include "verifier/search/root.h"

namespace espalier::testing {

// What the relaxations of unstable neurons leave open: the sum of their triangles' areas, times two.
inline double Area(const BoundsCase& c, const bounds::DomainBounds& bounds) {
  double sum = 0;
  for (size_t a = 0; a < bounds.layers.size(); ++a) {
    const bounds::LayerBox& box = bounds.layers[a];
    const ir::HingeLayer& hinge = c.plan->hinge(static_cast<int>(a));
    for (size_t i = 0; i < box.lower.size(); ++i) {
      const double kink = std::fabs(hinge.right[i] - hinge.left[i]);
      if (box.lower[i] < 0 && box.upper[i] > 0) sum -= kink * box.lower[i] * box.upper[i];
    }
  }
  return sum;
}

inline void ExpectInside(const BoundsCase& c, const bounds::DomainBounds& bounds,
                         const std::vector<double>& x) {
  const auto values = ir::EvaluateNodes(c.network, x);
  for (size_t a = 0; a < bounds.layers.size(); ++a) {
    const auto node = static_cast<size_t>(c.plan->node(c.plan->activations()[a]).predecessor);
    for (size_t i = 0; i < values[node].size(); ++i) {
      const double slack = 1e-9 * (1 + std::fabs(values[node][i]));  // of the evaluation
      ASSERT_GE(values[node][i], bounds.layers[a].lower[i] - slack) << "layer " << a << " neuron " << i;
      ASSERT_LE(values[node][i], bounds.layers[a].upper[i] + slack) << "layer " << a << " neuron " << i;
    }
  }
}

// Margins of the points for a problem's first target's first row, ascending.
inline std::vector<double> SortedMargins(const BoundsCase& c, const search::Problem& problem,
                                         const std::vector<std::vector<double>>& points) {
  std::vector<double> margins;
  for (const auto& x : points) {
    const auto values = ir::EvaluateNodes(c.network, x);
    margins.push_back(Margin(problem, {1, 0}, x, values[static_cast<size_t>(c.network.output)]));
  }
  std::sort(margins.begin(), margins.end());
  return margins;
}

inline bool OnSides(const BoundsCase& c, const std::vector<bounds::NeuronSide>& sides,
                    const std::vector<std::vector<double>>& values) {
  return std::all_of(sides.begin(), sides.end(), [&](const bounds::NeuronSide& side) {
    const auto a = static_cast<size_t>(side.activation);
    const auto node = static_cast<size_t>(c.plan->node(c.plan->activations()[a]).predecessor);
    return values[node][static_cast<size_t>(side.neuron)] * side.sign > 1e-9;
  });
}

// Whether the point is in the half of the part.
inline bool InHalf(const BoundsCase& c, const search::PartRoot& part, const search::Candidate& split,
                   int8_t sign, const std::vector<double>& x) {
  bounds::InputBoxes box = part.root.bounds.boxes;
  search::Domain domain = part.open[0];
  if (split.layer == search::kInputLayer) {
    const auto i = static_cast<size_t>(split.unstable);
    (sign > 0 ? box.lower : box.upper)[i] = 0.5 * box.lower[i] + 0.5 * box.upper[i];
  } else {
    domain = search::MakeChild(domain, split, sign);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    if (!(x[i] >= box.lower[i] && x[i] <= box.upper[i])) return false;
  }
  return OnSides(c, search::SidesOf(part.root, domain), ir::EvaluateNodes(c.network, x));
}

// Two targets, each with unsafe points.
inline search::Problem TwoTargets(BoundsCase& c, const std::vector<std::vector<double>>& points) {
  search::Problem problem = MakeProblem(c);
  problem.targets.push_back(problem.targets[0]);
  const std::vector<double> margins = SortedMargins(c, problem, points);
  problem.targets[0].rhs[0] += margins[points.size() / 20];
  problem.targets[1].rhs[0] += margins[points.size() / 2];
  for (search::Target& target : problem.targets) target.rhs[1] = 1e6;  // always holds
  return problem;
}

// The root's part for all of its targets; of every second seed for the first one alone.
inline absl::StatusOr<std::unique_ptr<search::PartRoot>> PartOf(search::Run& run,
                                                                const search::RootResult& root,
                                                                uint64_t seed) {
  std::vector<search::Domain> domains = root.open;
  for (search::Domain& domain : domains) domain.weights = {1, 0};
  if (seed % 2 == 0) domains.resize(1);
  return search::MakePartRoot(run, root, domains, 1);
}

}  // namespace espalier::testing
