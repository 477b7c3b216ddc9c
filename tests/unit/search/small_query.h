// Hand-made networks with queries, planned and ready for one phase of the search.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tests/unit/bounds/small_network.h"
#include "verifier/search/domain_batch.h"

namespace espalier::search {

// Accepts points of the disjunct's box whose outputs satisfy all its rows in plain double evaluation, and
// counts.
class CountingJudge : public api::WitnessJudge {
 public:
  CountingJudge(const ir::Network& network, const api::Property& property)
      : network_(network), property_(property) {}

  std::optional<api::Witness> Judge(absl::Span<const double> input) const override {
    ++asked;
    const std::vector<double> x(input.begin(), input.end());
    const std::vector<double> y = ir::EvaluateNodes(network_, x)[static_cast<size_t>(network_.output)];
    for (const api::Disjunct& disjunct : property_.disjuncts) {
      if (Inside(property_.boxes[static_cast<size_t>(disjunct.box)], x) && AllHold(disjunct, x, y)) {
        return api::Witness{x, y, false};
      }
    }
    return std::nullopt;
  }
  mutable int asked = 0;

 private:
  static bool Inside(const api::Box& box, const std::vector<double>& x) {
    for (size_t i = 0; i < x.size(); ++i) {
      if (!(box.lower[i] <= x[i] && x[i] <= box.upper[i])) return false;
    }
    return true;
  }
  static bool AllHold(const api::Disjunct& disjunct, const std::vector<double>& x,
                      const std::vector<double>& y) {
    for (const api::LinearRow& row : disjunct.rows) {
      double sum = 0;
      for (const auto& [i, c] : row.input) sum += c * x[static_cast<size_t>(i)];
      for (const auto& [j, c] : row.output) sum += c * y[static_cast<size_t>(j)];
      if (!(sum <= row.rhs)) return false;
    }
    return true;
  }

  const ir::Network& network_;
  const api::Property& property_;
};

struct Query {
  Query(ir::Network network, api::Property made, const api::Options& asked = {}, StopToken stop = {},
        const backend::BackendFactory& make = backend::CpuFactory())
      : planned(std::move(network), make),
        property(std::move(made)),
        options(asked),
        judge(planned.network, property) {
    auto made_problem = MakeProblem(planned.network, property);
    EXPECT_TRUE(made_problem.ok()) << made_problem.status();
    problem = *std::move(made_problem);
    run = std::make_unique<Run>(problem, *planned.plan, options, judge, nullptr, stop);
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  SharedRoot Root() const {
    const api::Box& box = problem.boxes[0];
    auto bounds = bounds::ComputeIntermediate(*planned.plan, {1, box.lower, box.upper}, {}, StopToken());
    EXPECT_TRUE(bounds.ok()) << bounds.status();
    auto root = SharedRoot::Make(*planned.plan, *std::move(bounds));
    EXPECT_TRUE(root.ok()) << root.status();
    return *std::move(root);
  }

  bounds::Planned planned;
  api::Property property;
  api::Options options;
  CountingJudge judge;
  Problem problem;
  std::unique_ptr<Run> run;
};

// One disjunct whose rows are `rows` on the box [lower, upper]^inputs.
inline api::Property OneDisjunct(size_t inputs, int64_t outputs, double lower, double upper,
                                 std::vector<api::LinearRow> rows) {
  api::Property property;
  property.input_size = static_cast<int64_t>(inputs);
  property.output_size = outputs;
  property.boxes = {{std::vector<double>(inputs, lower), std::vector<double>(inputs, upper)}};
  property.disjuncts = {{0, std::move(rows)}};
  return property;
}

// coefficient * Y_output <= rhs
inline api::LinearRow OutputRow(double coefficient, double rhs, int32_t output = 0) {
  api::LinearRow row;
  row.output = {{output, coefficient}};
  row.rhs = rhs;
  return row;
}

// y = |a - b| - 0.9 |a - b|, each absolute value made of two ReLUs of its own: never negative, but no
// relaxation of the unsplit network shows it. On [-1, 1]^2 the largest value is 0.2.
inline ir::Network TwoDistances() {
  return bounds::DenseNetwork(
      2, {{{{1, -1}, {-1, 1}, {1, -1}, {-1, 1}}, {0, 0, 0, 0}}, {{{1, 1, -0.9, -0.9}}, {0}}},
      {bounds::Relu()});
}

}  // namespace espalier::search
