// Which rows are worth splitting: few of them, those that margins owe most to, and never one that cannot
// move.
#include "verifier/bounds/row_worth.h"

#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace espalier::bounds {
namespace {

using Rows = std::vector<bool>;

TEST(RowWorthTest, LeavesOutWhatTogetherIsWorthLittle) {
  const LayerBox box{{-1, -1, -1, -1}, {1, 1, 1, 1}};
  // Together the last two have a hundredth.
  EXPECT_EQ(RowsWorthSplitting({60, 39, 0.6, 0.4}, box, {0, 1, 2, 3}),
            (Rows{true, true, true, true, false, false, false, false}));
  EXPECT_EQ(RowsWorthSplitting({25, 25, 25, 25}, box, {0, 1, 2, 3}), Rows(8, true));
}

// The looseness of a neuron that is active nearly everywhere hangs on its lower bound.
TEST(RowWorthTest, TheBoundNearZeroIsWorthMore) {
  EXPECT_EQ(RowsWorthSplitting({1, 1}, {{-0.1, -10}, {10, 0.1}}, {0, 1}), (Rows{true, false, false, true}));
}

TEST(RowWorthTest, NumbersNeuronsByTheirPlaceInTheLayer) {
  const LayerBox box{{-1, 1, -1, -3, -1}, {1, 2, 1, -2, 1}};
  EXPECT_EQ(RowsWorthSplitting({0, 9, 1, 9, 0}, box, {0, 2, 4}),
            (Rows{false, false, true, true, false, false}));
}

TEST(RowWorthTest, NothingIsWorthAnything) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(RowsWorthSplitting({}, {}, {}), Rows());
  EXPECT_EQ(RowsWorthSplitting({0, 0}, {{-1, -1}, {1, 1}}, {0, 1}), Rows(4, false));
  EXPECT_EQ(RowsWorthSplitting({1}, {{0}, {1}}, {0}), Rows(2, false));
  EXPECT_EQ(RowsWorthSplitting({1}, {{nan}, {1}}, {0}), Rows(2, false));
}

}  // namespace
}  // namespace espalier::bounds
