#include "verifier/formats/vnnlib_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/formats/vnnlib_text.h"

namespace espalier::formats {
namespace {

using Terms = std::vector<std::pair<int32_t, double>>;

// Reads a query over two inputs in [0, 1] and three outputs.
api::Property Read(const std::string& asserts) {
  absl::StatusOr<api::Property> property =
      ReadVnnlib(Declarations(2, 3) + BoxAsserts(2, "0", "1") + asserts, 2, 3);
  EXPECT_TRUE(property.ok()) << property.status();
  return property.ok() ? *std::move(property) : api::Property{};
}

// The only row of the only disjunct.
api::LinearRow ReadRow(const std::string& comparison) {
  const api::Property property = Read("(assert " + comparison + ")");
  if (property.disjuncts.size() != 1 || property.disjuncts[0].rows.size() != 1) {
    ADD_FAILURE() << comparison << " gives " << property.disjuncts.size() << " disjuncts";
    return {};
  }
  return property.disjuncts[0].rows[0];
}

TEST(VnnlibReaderTest, BoxAndRow) {
  const api::Property property = Read("(assert (<= Y_0 Y_2))");
  EXPECT_EQ(property.input_size, 2);
  EXPECT_EQ(property.output_size, 3);
  ASSERT_EQ(property.boxes.size(), 1u);
  EXPECT_EQ(property.boxes[0].lower, (std::vector<double>{0, 0}));
  EXPECT_EQ(property.boxes[0].upper, (std::vector<double>{1, 1}));
  EXPECT_TRUE(property.boxes[0].open.empty());
  ASSERT_EQ(property.disjuncts.size(), 1u);
  EXPECT_EQ(property.disjuncts[0].box, 0);
  ASSERT_EQ(property.disjuncts[0].rows.size(), 1u);
  EXPECT_EQ(property.disjuncts[0].rows[0].output, (Terms{{0, 1}, {2, -1}}));
  EXPECT_EQ(property.disjuncts[0].rows[0].rhs, 0);
  EXPECT_TRUE(property.warnings.empty());
}

TEST(VnnlibReaderTest, DirectionsAndSidesOfComparisons) {
  EXPECT_EQ(ReadRow("(<= Y_1 2.5)").output, (Terms{{1, 1}}));
  EXPECT_EQ(ReadRow("(<= Y_1 2.5)").rhs, 2.5);
  EXPECT_EQ(ReadRow("(>= Y_1 2.5)").output, (Terms{{1, -1}}));
  EXPECT_EQ(ReadRow("(>= Y_1 2.5)").rhs, -2.5);
  EXPECT_EQ(ReadRow("(<= 2.5 Y_1)").output, (Terms{{1, -1}}));
  EXPECT_EQ(ReadRow("(<= 2.5 Y_1)").rhs, -2.5);
  EXPECT_EQ(ReadRow("(>= 2.5 Y_1)").rhs, 2.5);
}

TEST(VnnlibReaderTest, LinearTerms) {
  const api::LinearRow row =
      ReadRow("(<= (+ (* 2 Y_0) (* Y_1 -3) (- Y_2) (/ X_0 4) 1) (- 5 X_1 (* 2 3 0.5)))");
  EXPECT_EQ(row.output, (Terms{{0, 2}, {1, -3}, {2, -1}}));
  EXPECT_EQ(row.input, (Terms{{0, 0.25}, {1, 1}}));
  EXPECT_EQ(row.rhs, 1);
}

TEST(VnnlibReaderTest, RepeatedVariablesAddUpAndCancel) {
  EXPECT_EQ(ReadRow("(<= (+ Y_2 Y_0 Y_0) (* 3 Y_2))").output, (Terms{{0, 2}, {2, -2}}));
  EXPECT_EQ(ReadRow("(<= (- (+ Y_0 Y_1) Y_1) 4)").output, (Terms{{0, 1}}));
}

TEST(VnnlibReaderTest, BoundsInAnySpelling) {
  const api::Property property = Read(
      "(assert (<= 0.25 X_0)) (assert (>= (* -2 X_0) -1.5)) (assert (and (>= (/ X_1 2) 0.125) (<= (- X_1) "
      "-0.5)))");
  ASSERT_EQ(property.boxes.size(), 1u);
  EXPECT_EQ(property.boxes[0].lower, (std::vector<double>{0.25, 0.5}));
  EXPECT_EQ(property.boxes[0].upper, (std::vector<double>{0.75, 1}));
}

TEST(VnnlibReaderTest, TheTightestBoundCounts) {
  const api::Property property = Read("(assert (<= X_0 0.5)) (assert (<= X_0 0.75)) (assert (>= X_0 -3))");
  EXPECT_EQ(property.boxes[0].lower[0], 0);
  EXPECT_EQ(property.boxes[0].upper[0], 0.5);
}

TEST(VnnlibReaderTest, NumbersAreTheNearestDoubles) {
  const std::vector<std::pair<std::string, double>> cases = {
      {"0.1", 0.1},
      {"1e-5", 1e-5},
      {"-2.5E+3", -2500},
      {".5", 0.5},
      {"5.", 5},
      {"+7", 7},
      {"-0", 0},
      {"1e-400", 0},
      {"4.9e-324", 4.9406564584124654e-324},
      {"0.64697266", 0.64697266},
      {"3.14159265358979323846264338327950288", 3.141592653589793}};
  for (const auto& [text, value] : cases) {
    const double rhs = ReadRow("(<= Y_0 " + text + ")").rhs;
    EXPECT_EQ(rhs, value) << text;
    EXPECT_FALSE(std::signbit(rhs) && rhs == 0) << text;
  }
}

TEST(VnnlibReaderTest, EqualityIsTwoRowsOrTwoBounds) {
  const api::Property outputs = Read("(assert (= Y_0 Y_1))");
  ASSERT_EQ(outputs.disjuncts.size(), 1u);
  ASSERT_EQ(outputs.disjuncts[0].rows.size(), 2u);
  EXPECT_EQ(outputs.disjuncts[0].rows[0].output, (Terms{{0, 1}, {1, -1}}));
  EXPECT_EQ(outputs.disjuncts[0].rows[1].output, (Terms{{0, -1}, {1, 1}}));
  const api::Property inputs = Read("(assert (or (= X_0 0.5) (<= Y_0 0)))");
  ASSERT_EQ(inputs.disjuncts.size(), 2u);
  const api::Box& box = inputs.boxes[static_cast<size_t>(inputs.disjuncts[0].box)];
  EXPECT_EQ(box.lower[0], 0.5);
  EXPECT_EQ(box.upper[0], 0.5);
}

TEST(VnnlibReaderTest, RowsOverInputsBecomeRows) {
  const api::LinearRow row = ReadRow("(<= (+ X_0 X_1) 1)");
  EXPECT_EQ(row.input, (Terms{{0, 1}, {1, 1}}));
  EXPECT_TRUE(row.output.empty());
  EXPECT_EQ(row.rhs, 1);
}

TEST(VnnlibReaderTest, StrictComparisonsAreMarked) {
  const api::Property property = Read("(assert (< Y_0 1)) (assert (> X_0 0.5)) (assert (< X_1 1))");
  ASSERT_EQ(property.disjuncts.size(), 1u);
  EXPECT_TRUE(property.disjuncts[0].rows[0].strict);
  EXPECT_EQ(property.boxes[0].lower[0], 0.5);
  EXPECT_EQ(property.boxes[0].open, (std::vector<uint8_t>{1, 2}));
  ASSERT_EQ(property.warnings.size(), 1u);
  EXPECT_NE(property.warnings[0].find("3 strict comparisons (the first at line 10, column 10)"),
            std::string::npos)
      << property.warnings[0];
}

TEST(VnnlibReaderTest, CommentsBlanksAndScriptCommands) {
  const absl::StatusOr<api::Property> property = ReadVnnlib(
      "; header (with ) parentheses\r\n(set-logic QF_LRA)\n(set-info :source \"a ( string\")\n"
      "(declare-fun X_0 () Real)(declare-const\tY_0;x\n Real)\n"
      "(assert(and(>= X_0 -1)(<= X_0;comment\n 1)))(assert(<= Y_0 0))\n(check-sat)(get-model)(exit)\n; end",
      1, 1);
  ASSERT_TRUE(property.ok()) << property.status();
  EXPECT_EQ(property->boxes[0].lower[0], -1);
  EXPECT_EQ(property->disjuncts.size(), 1u);
}

TEST(VnnlibReaderTest, ConstantComparisonsAreDecided) {
  const api::Property property =
      Read("(assert (or (<= 0 1) (<= 1 0) (< 1 1) false (and true (<= Y_0 Y_0)) (= 2 2)))");
  EXPECT_EQ(property.disjuncts.size(), 3u);
  for (const api::Disjunct& disjunct : property.disjuncts) EXPECT_TRUE(disjunct.rows.empty());
}

TEST(VnnlibReaderTest, NoAssertOnOutputsLeavesTheWholeBoxUnsafe) {
  const api::Property property = Read("");
  ASSERT_EQ(property.disjuncts.size(), 1u);
  EXPECT_TRUE(property.disjuncts[0].rows.empty());
}

}  // namespace
}  // namespace espalier::formats
