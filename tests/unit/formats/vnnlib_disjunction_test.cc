// and/or trees: order, sharing of boxes, contradictions, limits; compared with a plain recursive expansion.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/formats/vnnlib_text.h"
#include "verifier/formats/vnnlib_reader.h"

namespace espalier::formats {
namespace {

api::Property Read(const std::string& asserts) {
  absl::StatusOr<api::Property> property =
      ReadVnnlib(Declarations(2, 3) + BoxAsserts(2, "0", "8") + asserts, 2, 3);
  EXPECT_TRUE(property.ok()) << property.status();
  return property.ok() ? *std::move(property) : api::Property{};
}

// "0:[0,8][0,8] 1 2|..." box index, box, right-hand sides: enough to tell disjuncts apart.
std::string Summary(const api::Property& property) {
  std::string text;
  for (const api::Disjunct& disjunct : property.disjuncts) {
    const api::Box& box = property.boxes[static_cast<size_t>(disjunct.box)];
    absl::StrAppend(&text, text.empty() ? "" : "|", disjunct.box, ":");
    for (size_t i = 0; i < box.lower.size(); ++i)
      absl::StrAppend(&text, "[", box.lower[i], ",", box.upper[i], "]");
    for (const api::LinearRow& row : disjunct.rows) absl::StrAppend(&text, " ", row.rhs);
  }
  return text;
}

TEST(VnnlibDisjunctionTest, RobustnessSharesOneBox) {
  EXPECT_EQ(Summary(Read("(assert (or (and (<= Y_0 1)) (and (<= Y_1 2)) (<= Y_2 3)))")),
            "0:[0,8][0,8] 1|0:[0,8][0,8] 2|0:[0,8][0,8] 3");
}

TEST(VnnlibDisjunctionTest, BoxesPerDisjunct) {
  EXPECT_EQ(Summary(Read("(assert (or (and (<= X_0 4) (<= Y_0 1)) (and (<= X_0 4) (<= Y_0 2))"
                         " (and (>= X_0 5) (<= Y_0 3)) (and (<= Y_0 4) (<= X_0 4))))")),
            "0:[0,4][0,8] 1|0:[0,4][0,8] 2|1:[5,8][0,8] 3|0:[0,4][0,8] 4");
}

TEST(VnnlibDisjunctionTest, SeveralOrsGiveTheCrossProductInFileOrder) {
  EXPECT_EQ(
      Summary(Read(
          "(assert (or (<= Y_0 1) (<= Y_0 2))) (assert (<= Y_1 9)) (assert (or (<= Y_2 3) (<= Y_2 4)))")),
      "0:[0,8][0,8] 1 9 3|0:[0,8][0,8] 1 9 4|0:[0,8][0,8] 2 9 3|0:[0,8][0,8] 2 9 4");
}

TEST(VnnlibDisjunctionTest, NestedOrInAndInOr) {
  EXPECT_EQ(
      Summary(Read("(assert (or (and (<= Y_0 1) (or (<= Y_1 2) (and (<= Y_1 3) (or (<= X_0 4) (<= X_1 5)))))"
                   " (or (or (<= Y_2 6)))))")),
      "0:[0,8][0,8] 1 2|1:[0,4][0,8] 1 3|2:[0,8][0,5] 1 3|0:[0,8][0,8] 6");
}

TEST(VnnlibDisjunctionTest, ContradictoryDisjunctsAreLeftOutWithAWarning) {
  const api::Property property =
      Read("(assert (or (and (<= X_0 3) (<= Y_0 1)) (<= Y_0 2))) (assert (>= X_0 3.5))");
  EXPECT_EQ(Summary(property), "0:[3.5,8][0,8] 2");
  ASSERT_EQ(property.warnings.size(), 1u);
  EXPECT_NE(property.warnings[0].find("1 contradictory disjuncts were left out"), std::string::npos);
  EXPECT_NE(property.warnings[0].find("X_0"), std::string::npos);
}

TEST(VnnlibDisjunctionTest, LowerAboveUpperIsAnEmptyInputSet) {
  const api::Property property = Read("(assert (<= X_1 -0.5)) (assert (<= Y_0 1))");
  EXPECT_TRUE(property.disjuncts.empty());
  ASSERT_EQ(property.warnings.size(), 1u);
  EXPECT_NE(property.warnings[0].find("input set is empty"), std::string::npos);
  EXPECT_NE(property.warnings[0].find("X_1 is bounded by 0 from below and -0.5 from above"),
            std::string::npos)
      << property.warnings[0];
}

TEST(VnnlibDisjunctionTest, AStrictBoundThatMeetsTheOtherIsEmpty) {
  EXPECT_TRUE(Read("(assert (< X_1 0))").disjuncts.empty());
  EXPECT_EQ(Read("(assert (<= X_1 0))").disjuncts.size(), 1u);
}

TEST(VnnlibDisjunctionTest, FalseAndEmptyOrGiveNoDisjuncts) {
  EXPECT_TRUE(Read("(assert (<= 1 0))").disjuncts.empty());
  EXPECT_TRUE(Read("(assert (or))").disjuncts.empty());
  EXPECT_EQ(Read("(assert (and))").disjuncts.size(), 1u);
}

TEST(VnnlibDisjunctionTest, AnInputLeftUnboundedIsNamed) {
  const std::string text = Declarations(2, 1) + "(assert (and (>= X_0 0) (<= X_0 1)))";
  EXPECT_EQ(ReadVnnlib(text, 2, 1).status(),
            absl::InvalidArgumentError("X_1 has no lower and no upper bound"));
  EXPECT_EQ(ReadVnnlib(text + "(assert (>= X_1 0))", 2, 1).status(),
            absl::InvalidArgumentError("X_1 has no upper bound"));
  const std::string partly = text + "(assert (>= X_1 0))(assert (or (<= X_1 1) (<= Y_0 1)))";
  EXPECT_EQ(ReadVnnlib(partly, 2, 1).status(),
            absl::InvalidArgumentError("X_1 has no upper bound in disjunct 2"));
}

TEST(VnnlibDisjunctionTest, ProductsBeyondTheLimitAreRefused) {
  const std::string head = Declarations(2, 3) + BoxAsserts(2, "0", "8");
  const std::string choice = "(assert (or (<= Y_0 1) (<= Y_1 2)))";
  EXPECT_EQ(ReadVnnlib(head + Repeat(choice, 10), 2, 3)->disjuncts.size(), 1024u);
  EXPECT_EQ(ReadVnnlib(head + Repeat(choice, 60), 2, 3).status().code(),
            absl::StatusCode::kResourceExhausted);
  VnnlibLimits limits;
  limits.max_disjuncts = 1023;
  EXPECT_EQ(ReadVnnlib(head + Repeat(choice, 10), 2, 3, limits).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(VnnlibDisjunctionTest, ContradictionsDoNotExpandForEver) {
  // 2^60 combinations of which none survives.
  const std::string text = Declarations(2, 3) + BoxAsserts(2, "0", "8") +
                           Repeat("(assert (or (<= Y_0 1) (<= Y_1 2)))", 60) +
                           "(assert (or (<= X_0 -1) (<= X_1 -1)))";
  EXPECT_EQ(ReadVnnlib(text, 2, 3).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(VnnlibDisjunctionTest, MemoryIsLimited) {
  std::string text = Declarations(1000, 1) + BoxAsserts(1000, "0", "1") + "(assert (or";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&text, "(<= X_", i, " 0.5)");
  VnnlibLimits limits;
  limits.max_numbers = 1'000'000;  // a thousand boxes of a thousand intervals are 2,000,000
  EXPECT_EQ(ReadVnnlib(text + "))", 1000, 1, limits).status().code(), absl::StatusCode::kResourceExhausted);
  limits.max_numbers = 2'000'000;
  EXPECT_TRUE(ReadVnnlib(text + "))", 1000, 1, limits).ok());
}

// A random formula with its truth value at given points, to compare with the property's.
class RandomFormula {
 public:
  explicit RandomFormula(uint32_t seed) : random_(seed) {}

  std::string Write(int depth, const std::vector<std::vector<double>>& points, std::vector<bool>& truth) {
    const int kind = depth == 0 ? 0 : Draw(3);
    if (kind == 0) return WriteAtom(points, truth);
    const bool is_and = kind == 1;
    std::string text = is_and ? "(and" : "(or";
    truth.assign(points.size(), is_and);
    for (int children = Draw(4); children > 0; --children) {
      std::vector<bool> child;
      absl::StrAppend(&text, " ", Write(depth - 1, points, child));
      for (size_t p = 0; p < points.size(); ++p)
        truth[p] = is_and ? truth[p] && child[p] : truth[p] || child[p];
    }
    return text + ")";
  }

  int Draw(int count) { return static_cast<int>(random_() % static_cast<uint32_t>(count)); }

 private:
  // Variables 0 and 1 are X, 2 to 4 are Y.
  std::string WriteAtom(const std::vector<std::vector<double>>& points, std::vector<bool>& truth) {
    const int left = Draw(5), right = Draw(5), constant = Draw(9), kind = Draw(4);
    const bool with_variable = Draw(3) == 0;
    const char* operators[] = {"<=", ">=", "<", ">"};
    const auto name = [](int v) { return absl::StrCat(v < 2 ? "X_" : "Y_", v < 2 ? v : v - 2); };
    for (const std::vector<double>& point : points) {
      const double a = point[static_cast<size_t>(left)];
      const double b = with_variable ? point[static_cast<size_t>(right)] + constant : constant;
      truth.push_back(kind == 0 ? a <= b : kind == 1 ? a >= b : kind == 2 ? a < b : a > b);
    }
    const std::string other =
        with_variable ? absl::StrCat("(+ ", name(right), " ", constant, ")") : absl::StrCat(constant);
    return absl::StrCat("(", operators[kind], " ", name(left), " ", other, ")");
  }

  std::mt19937 random_;
};

bool Contains(const api::Property& property, const std::vector<double>& point) {
  return std::any_of(
      property.disjuncts.begin(), property.disjuncts.end(), [&](const api::Disjunct& disjunct) {
        const api::Box& box = property.boxes[static_cast<size_t>(disjunct.box)];
        for (size_t i = 0; i < box.lower.size(); ++i) {
          const int open = box.open.empty() ? 0 : box.open[i];
          if (point[i] < box.lower[i] || ((open & 1) != 0 && point[i] == box.lower[i])) return false;
          if (point[i] > box.upper[i] || ((open & 2) != 0 && point[i] == box.upper[i])) return false;
        }
        return std::all_of(disjunct.rows.begin(), disjunct.rows.end(), [&](const api::LinearRow& row) {
          double left = 0;
          for (const auto& [i, c] : row.input) left += c * point[static_cast<size_t>(i)];
          for (const auto& [i, c] : row.output) left += c * point[static_cast<size_t>(i) + 2];
          return row.strict ? left < row.rhs : left <= row.rhs;
        });
      });
}

TEST(VnnlibDisjunctionTest, RandomFormulasMeanWhatTheySay) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    RandomFormula random(seed);
    std::vector<std::vector<double>> points;
    for (int p = 0; p < 100; ++p) {
      std::vector<double> point;
      for (int i = 0; i < 5; ++i) point.push_back(random.Draw(9));
      points.push_back(point);
    }
    std::vector<bool> first, second;
    const std::string one = random.Write(3, points, first), two = random.Write(2, points, second);
    const api::Property property = Read("(assert " + one + ")\n(assert " + two + ")");
    for (size_t p = 0; p < points.size(); ++p) {
      ASSERT_EQ(Contains(property, points[p]), first[p] && second[p]) << "seed " << seed << "\n"
                                                                      << one << "\n"
                                                                      << two;
    }
  }
}

}  // namespace
}  // namespace espalier::formats
