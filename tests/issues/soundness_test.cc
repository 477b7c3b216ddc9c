// One test per wrong answer that was once found; each network is the smallest that shows it.
#include <gtest/gtest.h>

#include <cmath>

#include "verifier/backend/backend.h"
#include "verifier/bounds/interval.h"
#include "verifier/ir/cone.h"
#include "verifier/search/strategy.h"

namespace espalier {
namespace {

class NeverJudge final : public api::WitnessJudge {
 public:
  std::optional<api::Witness> Judge(absl::Span<const double>) const override { return std::nullopt; }
};

ir::LinearMapPtr Dense(int64_t rows, int64_t cols, std::vector<double> weights) {
  return std::make_shared<ir::LinearMap>(ir::DenseMap{rows, cols, std::move(weights)});
}

ir::NetworkNode Affine(std::string name, std::vector<ir::AffineTerm> terms, std::vector<double> bias) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kAffine;
  node.name = std::move(name);
  node.size = static_cast<int64_t>(bias.size());
  node.terms = std::move(terms);
  node.bias = std::move(bias);
  return node;
}

ir::Network OneInput() {
  ir::Network network;
  network.nodes.emplace_back();
  network.nodes[0].size = 1;
  network.input_order = {0};
  return network;
}

// A disjunct that only constrains inputs has no row to bound: when its replay fails it stays open, and
// nothing may be read from another disjunct's rows instead.
TEST(SoundnessIssueTest, ADisjunctWithoutRowsIsNeverCalledRefuted) {
  ir::Network network = OneInput();
  network.nodes.push_back(Affine("y", {{0, Dense(1, 1, {1.0})}}, {10.0}));
  network.output = 1;
  api::Property property;
  property.input_size = property.output_size = 1;
  property.boxes = {{.lower = {0.0}, .upper = {1.0}}};
  api::LinearRow far;  // y <= 0, refuted at once: y >= 10
  far.output = {{0, 1.0}};
  property.disjuncts = {{.box = 0, .rows = {}}, {.box = 0, .rows = {far}}};
  for (int64_t split : {-1, 0, 1}) {
    api::Options options;
    options.input_split = split;
    options.threads = 1;
    const auto verdict = search::Decide(network, property, options, {NeverJudge(), backend::CpuFactory()});
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    EXPECT_EQ(verdict->answer(), api::Answer::kUnknown) << "input_split " << split;
  }
}

// 1 + 400 · 2^-53 is lost by adding one term after the other: the interval must reach past the exact sum all
// the same.
TEST(SoundnessIssueTest, IntervalsCountTheTermsOfASum) {
  ir::Network network = OneInput();
  std::vector<ir::AffineTerm> terms = {{0, Dense(1, 1, {1.0})}};
  for (int i = 0; i < 400; ++i) terms.push_back({0, Dense(1, 1, {std::ldexp(1.0, -53)})});
  network.nodes.push_back(Affine("y", terms, {0.0}));
  network.output = 1;
  auto backend = backend::MakeCpuBackend({.threads = 1, .memory_bytes = 0});
  ASSERT_TRUE(backend.ok());
  auto plan = bounds::Plan::Make(network, **backend);
  ASSERT_TRUE(plan.ok());
  bounds::IntervalPass pass(**plan);
  ASSERT_TRUE(pass.Start({1.0}, {1.0}, 1).ok());
  bounds::LayerBox box;
  ASSERT_TRUE(pass.Node(1, box).ok());
  EXPECT_GE(box.upper[0], 1.0 + std::ldexp(400.0, -53));
  EXPECT_LE(box.lower[0], 1.0);
}

// A pre-activation that a second consumer needs over a larger rectangle than its activation is cropped for
// the latter.
TEST(SoundnessIssueTest, ConesCropAnActivationsPredecessor) {
  const auto conv = [](int64_t kernel, int64_t pad, int64_t small) {
    ir::ConvMap m;
    m.big_h = m.big_w = 6, m.big_c = 1;
    m.small_h = m.small_w = small, m.small_c = 1;
    m.kernel_h = m.kernel_w = kernel;
    m.pad_top = m.pad_left = pad;
    for (int64_t i = 0; i < kernel * kernel; ++i) m.kernel.push_back(0.1 * static_cast<double>(i + 1));
    return std::make_shared<const ir::LinearMap>(m);
  };
  ir::Network network;
  network.nodes.emplace_back();
  network.nodes[0].size = 36;
  for (int64_t i = 0; i < 36; ++i) network.input_order.push_back(i);
  network.nodes.push_back(Affine("pre", {{0, conv(3, 1, 6)}}, std::vector<double>(36, 0.0)));
  ir::NetworkNode relu;
  relu.kind = ir::NodeKind::kActivation;
  relu.size = 36;
  relu.predecessor = 1;
  relu.hinge = {std::vector<double>(36, 0.0), std::vector<double>(36, 1.0), std::vector<double>(36, 0.0)};
  network.nodes.push_back(relu);
  // The skip from the pre-activation sees a larger window (5) than the path through the activation (1).
  network.nodes.push_back(
      Affine("y", {{2, conv(1, 0, 6)}, {1, conv(5, 2, 6)}}, std::vector<double>(36, 0.0)));
  network.output = 3;
  const auto cone = ir::ExtractCone(network, 3, {6, 6, 1}, {2, 4, 2, 4});
  ASSERT_TRUE(cone.has_value());
  ASSERT_TRUE(ir::CheckNetwork(cone->network).ok()) << ir::CheckNetwork(cone->network);
  std::vector<double> x(36);
  for (size_t i = 0; i < 36; ++i) x[i] = std::sin(static_cast<double>(i));
  std::vector<double> inside;
  for (int32_t i : cone->neurons[0]) inside.push_back(x[static_cast<size_t>(i)]);
  const auto expected = ir::EvaluateNodes(network, x)[3];
  const auto actual = ir::EvaluateNodes(cone->network, inside)[static_cast<size_t>(cone->network.output)];
  const auto& neurons = cone->neurons[static_cast<size_t>(cone->network.output)];
  for (size_t k = 0; k < actual.size(); ++k)
    EXPECT_NEAR(actual[k], expected[static_cast<size_t>(neurons[k])], 1e-12);
}

}  // namespace
}  // namespace espalier
