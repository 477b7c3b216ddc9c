#include "tests/property/split_cases.h"

namespace espalier::testing {

search::Problem MakeProblem(BoundsCase& c) {
  search::Problem problem;
  problem.inputs = c.network.input_size();
  problem.outputs = c.network.output_size();
  problem.boxes = {c.box};
  search::Target target;
  target.rows = 2;
  target.output = c.random.Normals(2 * problem.outputs, 1.0);
  if (c.random.Chance(0.5)) target.input = c.random.Normals(2 * problem.inputs, 1.0);
  target.rhs = c.random.Normals(2, 1.0);
  problem.targets = {target};
  return problem;
}

double Margin(const search::Problem& problem, const std::vector<double>& weights,
              const std::vector<double>& x, const std::vector<double>& y) {
  const search::Target& target = problem.targets[0];
  long double sum = 0;
  for (size_t r = 0; r < weights.size(); ++r) {
    long double row = -static_cast<long double>(target.rhs[r]);
    for (size_t j = 0; j < y.size(); ++j)
      row += static_cast<long double>(target.output[r * y.size() + j]) * y[j];
    for (size_t j = 0; j < x.size() && !target.input.empty(); ++j) {
      row += static_cast<long double>(target.input[r * x.size() + j]) * x[j];
    }
    sum += static_cast<long double>(weights[r]) * row;
  }
  return static_cast<double>(sum);
}

std::vector<search::Domain> RandomDomains(BoundsCase& c, const search::SharedRoot& root, size_t count) {
  std::vector<search::Domain> domains(count);
  for (search::Domain& domain : domains) {
    domain.weights = {c.random.Uniform(0, 2), c.random.Chance(0.3) ? 0.0 : c.random.Uniform(0, 2)};
    for (size_t a = 0; a < root.bounds.layers.size(); ++a) {
      const auto width = static_cast<int32_t>(root.relaxation64.unstable(static_cast<int>(a)).size());
      for (int32_t j = 0; j < width; ++j) {
        if (!c.random.Chance(0.15)) continue;
        const auto sign = static_cast<int8_t>(c.random.Chance(0.5) ? 1 : -1);
        domain.splits.push_back(
            {static_cast<int16_t>(a), sign, j, static_cast<float>(c.random.Uniform(0, 1))});
      }
    }
    if (c.random.Chance(0.5)) continue;
    for (int64_t k = 0; k < root.slope_count; ++k)
      domain.slopes.push_back(static_cast<uint8_t>(c.random.Int(0, 255)));
  }
  return domains;
}

bool Satisfies(const BoundsCase& c, const search::SharedRoot& root, const search::Domain& domain,
               const std::vector<std::vector<double>>& values) {
  for (const search::Split& split : domain.splits) {
    const auto node = static_cast<size_t>(
        c.plan->node(c.plan->activations()[static_cast<size_t>(split.layer)]).predecessor);
    const auto neuron =
        static_cast<size_t>(root.relaxation64.unstable(split.layer)[static_cast<size_t>(split.unstable)]);
    if (split.sign * values[node][neuron] < 0) return false;
  }
  return true;
}

}  // namespace espalier::testing
