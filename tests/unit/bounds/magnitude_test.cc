#include "verifier/bounds/magnitude.h"

#include <cmath>

#include "tests/unit/bounds/small_network.h"

namespace espalier::bounds {
namespace {

// x in [-1, 2]^2 -> (x0 - 2 x1 + 1) -> relu -> 3 z - 5
ir::Network Small() {
  return DenseNetwork(2, {{{{1, -2}}, {1}}, {{{3}}, {-5}}}, {Relu()});
}

TEST(MagnitudeTest, SumsOfAbsoluteProducts) {
  const Planned p(Small());
  const auto m = Magnitudes::Make(*p.plan, {-1, -1}, {2, 2}, {{{-4}, {5}}});
  ASSERT_TRUE(m.ok()) << m.status();
  EXPECT_NEAR(m->host(0)[0], 2, 1e-6);
  EXPECT_NEAR(m->host(1)[0], 1 * 2 + 2 * 2 + 1, 1e-6);
  EXPECT_NEAR(m->host(2)[0], 5, 1e-6);  // relu of [-4, 5], by the steeper side
  EXPECT_NEAR(m->host(3)[0], 3 * 5 + 5, 1e-6);
  EXPECT_GE(m->host(3)[0], 20);
  EXPECT_GE(m->total(), 27);
}

TEST(MagnitudeTest, LayersBecomeKnownOneByOne) {
  const Planned p(Small());
  std::vector<LayerBox> bounds(1);
  auto m = Magnitudes::Make(*p.plan, {-1, -1}, {2, 2}, bounds);
  ASSERT_TRUE(m.ok());
  EXPECT_FALSE(m->host(1).empty());
  EXPECT_TRUE(m->host(3).empty());
  bounds[0] = {{-4}, {5}};
  ASSERT_TRUE(m->Extend(*p.plan, bounds).ok());
  EXPECT_NEAR(m->host(3)[0], 20, 1e-6);
}

TEST(MagnitudeTest, SeveralDomainsAreUnited) {
  const Planned p(Small());
  const auto m = Magnitudes::Make(*p.plan, {-1, -1}, {2, 2}, {{{-1, -7, 0}, {1, 2, 3}}});
  ASSERT_TRUE(m.ok());
  EXPECT_NEAR(m->host(2)[0], 7, 1e-6);
}

TEST(MagnitudeTest, OnOneSideThatSidesSlopeCounts) {
  const Planned p(DenseNetwork(2, {{{{1, -2}}, {1}}, {{{3}}, {-5}}}, {{0.5, 2, 0.25}}));
  const auto reach = [&](double lower, double upper) {
    return Magnitudes::Make(*p.plan, {-1, -1}, {2, 2}, {{{lower}, {upper}}})->host(2)[0];
  };
  EXPECT_NEAR(reach(-4, -1), 2.25, 1e-6);
  EXPECT_NEAR(reach(1, 3), 6.25, 1e-6);
  EXPECT_NEAR(reach(-4, 0.1), 8.25, 1e-6);
  EXPECT_NEAR(reach(0, 4), 8.25, 1e-6);
  EXPECT_FALSE(std::isfinite(reach(std::nan(""), -1)));
}

// A magnitude that is not known must not look small: whichever bound is NaN, and whichever domains follow.
TEST(MagnitudeTest, NotANumberStays) {
  const Planned p(Small());
  const double nan = std::nan("");
  for (const LayerBox& box : {LayerBox{{nan}, {1}}, LayerBox{{-1}, {nan}}, LayerBox{{nan}, {nan}},
                              LayerBox{{nan, -1}, {nan, 1}}, LayerBox{{-1, nan}, {1, nan}}}) {
    const auto m = Magnitudes::Make(*p.plan, {-1, -1}, {2, 2}, {box});
    ASSERT_TRUE(m.ok());
    EXPECT_FALSE(std::isfinite(m->host(2)[0]))
        << box.lower[0] << " " << box.upper[0] << " " << box.lower.size();
  }
}

TEST(MagnitudeTest, TheFloatCopyIsNotSmaller) {
  const Planned p(Small());
  const auto m = Magnitudes::Make(*p.plan, {-0.1, -0.1}, {0.3, 0.7}, {{{-0.4}, {0.5}}});
  ASSERT_TRUE(m.ok());
  float f = 0;
  p.backend->Download(m->affine<float>(1), sizeof f, &f);
  EXPECT_GE(static_cast<double>(f), m->host(1)[0]);
}

}  // namespace
}  // namespace espalier::bounds
