#include "verifier/bounds/relaxation.h"

#include <cmath>

#include "tests/unit/bounds/small_network.h"

namespace espalier::bounds {
namespace {

// Four neurons on one input.
ir::Network FourNeurons(const std::vector<double>& hinge) {
  return DenseNetwork(1, {{{{1}, {2}, {-1}, {1}}, {0, 0, 0, 0}}, {{{1, 1, 1, 1}}, {0}}}, {hinge});
}

template <class T>
std::vector<T> Download(const Planned& p, const T* device, size_t count) {
  std::vector<T> values(count);
  p.backend->Download(device, static_cast<int64_t>(count * sizeof(T)), values.data());
  return values;
}

TEST(RelaxationTest, KeepsLinesOfUnstableNeuronsOnly) {
  const Planned p(FourNeurons(Relu()));
  const auto relaxation = Relaxation<double>::Make(*p.plan, {{{-1, 1, -2, -3}, {1, 2, 2, -1}}}, 1);
  ASSERT_TRUE(relaxation.ok());
  EXPECT_EQ(relaxation->unstable(0), (std::vector<int32_t>{0, 2}));
  const backend::LayerLines<double> lines = relaxation->lines(0);
  EXPECT_EQ(lines.unstable, 2);
  EXPECT_EQ(Download(p, lines.index, 2), (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(Download(p, lines.stable_slope, 4), (std::vector<double>{1, 1, 1, 0}));
  EXPECT_EQ(Download(p, lines.chord_slope, 2), (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(lines.intercept, nullptr);
}

TEST(RelaxationTest, GraftedNeuronsAreNeverUnstable) {
  const Planned p(FourNeurons({0.4, 0.4, 0.1}));
  const auto relaxation = Relaxation<float>::Make(*p.plan, {{{-1, -1, -1, -1}, {1, 1, 1, 1}}}, 1);
  ASSERT_TRUE(relaxation.ok());
  EXPECT_TRUE(relaxation->unstable(0).empty());
  const backend::LayerLines<float> lines = relaxation->lines(0);
  EXPECT_EQ(Download(p, lines.stable_slope, 4), std::vector<float>(4, 0.4f));
  ASSERT_NE(lines.intercept, nullptr);
  EXPECT_EQ(Download(p, lines.intercept, 4), std::vector<float>(4, 0.1f));
}

TEST(RelaxationTest, NeuronsOnDifferentSidesInDifferentDomainsKeepTheirLines) {
  const Planned p(FourNeurons(Relu()));
  // Neuron 0 is active in domain 0 and inactive in domain 1; neuron 3 is inactive in both.
  const auto relaxation =
      Relaxation<double>::Make(*p.plan, {{{1, 1, -1, -3, -2, 1, -1, -2}, {2, 2, 2, -1, -1, 2, 1, 0}}}, 2);
  ASSERT_TRUE(relaxation.ok());
  EXPECT_EQ(relaxation->unstable(0), (std::vector<int32_t>{0, 2}));
  const backend::LayerLines<double> lines = relaxation->lines(0);
  const std::vector<double> slope = Download(p, lines.chord_slope, 4),
                            intercept = Download(p, lines.chord_intercept, 4);
  EXPECT_EQ(slope[0], 1);  // domain 0, neuron 0
  EXPECT_EQ(slope[2], 0);  // domain 1, neuron 0
  EXPECT_EQ(intercept[0], 0);
  EXPECT_NEAR(slope[1], 2.0 / 3, 1e-12);
}

TEST(RelaxationTest, BoundsAreRoundedOutward) {
  const Planned p(FourNeurons(Relu()));
  const double l = -1.0 / 3, u = 0.1;
  const auto relaxation = Relaxation<float>::Make(*p.plan, {{{l, 1, 1, 1}, {u, 2, 2, 2}}}, 1);
  ASSERT_TRUE(relaxation.ok());
  const backend::LayerLines<float> lines = relaxation->lines(0);
  const double slope = static_cast<double>(Download(p, lines.chord_slope, 1)[0]);
  const double intercept = static_cast<double>(Download(p, lines.chord_intercept, 1)[0]);
  EXPECT_GE(slope * l + intercept, 0);
  EXPECT_GE(slope * u + intercept, u);
}

TEST(RelaxationTest, UnknownLayersHaveNoLines) {
  const Planned p(FourNeurons(Relu()));
  const auto relaxation = Relaxation<double>::Make(*p.plan, std::vector<LayerBox>(1), 1);
  ASSERT_TRUE(relaxation.ok());
  EXPECT_FALSE(relaxation->known(0));
}

TEST(RelaxationTest, NotANumberIsUnstable) {
  const Planned p(FourNeurons(Relu()));
  const double nan = std::nan("");
  const auto relaxation = Relaxation<double>::Make(*p.plan, {{{nan, 1, -1, nan}, {nan, nan, nan, 1}}}, 1);
  ASSERT_TRUE(relaxation.ok());
  EXPECT_EQ(relaxation->unstable(0), (std::vector<int32_t>{0, 2, 3}));  // 1 is known to be active
}

TEST(RelaxationTest, DomainsAreReplaced) {
  const Planned p(FourNeurons(Relu()));
  auto relaxation = Relaxation<double>::Make(*p.plan, {{{-1, 1, 1, 1}, {1, 2, 2, 2}}}, 1);
  ASSERT_TRUE(relaxation.ok());
  ASSERT_TRUE(relaxation->SetDomains(*p.plan, 3, {{-1, 0, -1}}, {{1, 1, 0}}).ok());
  EXPECT_EQ(relaxation->domains(), 3);
  EXPECT_EQ(Download(p, relaxation->lines(0).chord_slope, 3), (std::vector<double>{0.5, 1, 0}));
}

}  // namespace
}  // namespace espalier::bounds
