#include "verifier/ir/map_forms.h"

#include <gtest/gtest.h>

namespace espalier::ir {
namespace {

const SparseMap kMap{3, 4, {0, 2, 2, 5}, {3, 0, 1, 3, 0}, {-1, 2, 3, -4, 5}};

TEST(MapFormsTest, ColumnsBecomeRowsInOrder) {
  const SparseMap columns = Transposed(kMap);
  EXPECT_EQ(columns.rows, 4);
  EXPECT_EQ(columns.cols, 3);
  EXPECT_EQ(columns.row_begin, (std::vector<int64_t>{0, 2, 3, 3, 5}));
  EXPECT_EQ(columns.column, (std::vector<int32_t>{0, 2, 2, 0, 2}));
  EXPECT_EQ(columns.value, (std::vector<double>{2, 5, 3, -1, -4}));
}

TEST(MapFormsTest, TheLongestRowIsAtLeastOne) {
  EXPECT_EQ(LongestRow(kMap), 3);
  EXPECT_EQ(LongestRow(SparseMap{2, 5, {0, 0, 0}, {}, {}}), 1);
}

TEST(MapFormsTest, AbsoluteValuesOfEveryForm) {
  EXPECT_EQ(std::get<SparseMap>(Absolute(kMap)).value, (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(std::get<ScaleMap>(Absolute(ScaleMap{{-1, 2}})).scale, (std::vector<double>{1, 2}));
  EXPECT_EQ(std::get<DenseMap>(Absolute(DenseMap{1, 2, {3, -4}})).weights, (std::vector<double>{3, 4}));
  ConvMap conv;
  conv.kernel = {-5};
  EXPECT_EQ(std::get<ConvMap>(Absolute(conv)).kernel, (std::vector<double>{5}));
  EXPECT_EQ(std::get<IdentityMap>(Absolute(IdentityMap{7})).size, 7);
}

}  // namespace
}  // namespace espalier::ir
