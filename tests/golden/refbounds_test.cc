// The engine's bounds beside those that another library computed in float64 for the same networks and boxes.
//
// Interval and plain CROWN bounds are equalities (the same choices give the same numbers); slopes of the
// output rows alone follow the same optimiser; optimised intermediate bounds are a quality target; and
// nothing may lie above a value that was sampled. Every test prints a line: largest relative difference and
// processor seconds beside the recorded ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "tests/golden/reference_case.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

using testing::ReferenceCase;

double ProcessorSeconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double LargestAbs(const std::vector<double>& values) {
  double largest = 0;
  for (double v : values) largest = std::max(largest, std::fabs(v));
  return largest;
}

struct GoldenCase {
  const char* name;
  // Affine maps follow each other directly: lowering folds them into one, whose intervals are tighter.
  bool folds = false;
};

class RefboundsTest : public ::testing::TestWithParam<GoldenCase> {
 protected:
  void SetUp() override {
#ifdef ESPALIER_LONG_CASES
    if (std::getenv("ESPALIER_LONG") == nullptr) GTEST_SKIP() << "takes minutes: set ESPALIER_LONG=1";
#endif
    if (!testing::LoadReferenceCase(GetParam().name, reference_))
      GTEST_SKIP() << "no reference bounds beside the project";
    auto model = Model::Load(reference_.onnx);
    ASSERT_TRUE(model.ok()) << model.status();
    if (!model->Describe().unsupported.empty()) {
      GTEST_SKIP() << "not piecewise linear: " << model->Describe().unsupported[0].op;
    }
    model_ = *std::move(model);
  }

  BoundsReport Compute(const BoundsRequest& request) {
    const double start = ProcessorSeconds();
    BoundsRequest one_thread = request;
    one_thread.threads = 1;
    const auto report = ComputeBounds(model_, reference_.property, 0, one_thread, StopToken());
    seconds_ = ProcessorSeconds() - start;
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : BoundsReport{};
  }

  // Lower bounds of the rows; upper bounds from the negated rows.
  std::vector<double> Lower(const BoundsReport& report) const {
    return Part(report, 0, 1.0);
  }
  std::vector<double> Upper(const BoundsReport& report) const {
    return Part(report, reference_.rows, -1.0);
  }

  struct Interval {
    std::vector<double> lower, upper;
  };
  // Largest difference relative to the largest |reference| of the group; only outward ones count when
  // `tighter_is_fine`.
  static double Difference(const Interval& ours, const Interval& theirs, bool tighter_is_fine) {
    if (ours.lower.size() != theirs.lower.size() || ours.upper.size() != theirs.upper.size()) return INFINITY;
    const double scale = std::max({LargestAbs(theirs.lower), LargestAbs(theirs.upper), 1e-9});
    double worst = 0;
    for (size_t i = 0; i < ours.lower.size(); ++i) {
      const double below = theirs.lower[i] - ours.lower[i], above = ours.upper[i] - theirs.upper[i];
      for (double difference : {below, above}) {
        difference = (tighter_is_fine ? difference : std::fabs(difference)) / scale;
        if (!(difference <= worst)) worst = difference;
      }
    }
    return worst;
  }

  void ExpectRows(const BoundsReport& report, const std::string& method, bool tighter_is_fine) {
    const double difference =
        Difference({Lower(report), Upper(report)},
                   {reference_.Array(method + "_lb"), reference_.Array(method + "_ub")}, tighter_is_fine);
    EXPECT_LE(difference, kTolerance) << method << " rows";
    difference_ = std::max(difference_, difference);
  }

  void ExpectLayers(const BoundsReport& report, const std::string& prefix, bool tighter_is_fine);
  void ExpectBelowSamples(const std::vector<double>& lower) const;

  void PrintLine(const char* method, const char* quantity, double value, double recorded) const {
    std::printf("[golden] %-28s %-13s %-22s %10.3g   seconds %8.3f  recorded %8.3f\n",
                reference_.name.c_str(), method, quantity, value, seconds_, recorded);
  }
  double Recorded(const std::string& method) const {
    const auto it = reference_.seconds.find(method);
    return it == reference_.seconds.end() ? NAN : it->second;
  }

  // Rows of alpha-CROWN with fixed intermediate bounds against `array`.
  void CheckFixedAlpha(int64_t iterations, const std::string& array);

  ReferenceCase reference_;
  Model model_;
  double seconds_ = 0;
  double difference_ = 0;
  // Equal choices give equal numbers up to float64's rounding and the allowance that certified bounds take
  // for it (up to 8e-9 was seen).
  static constexpr double kTolerance = 1e-8;

 private:
  std::vector<double> Part(const BoundsReport& report, size_t begin, double sign) const {
    std::vector<double> values;
    for (size_t r = 0; r < reference_.rows && begin + r < report.row_lower.size(); ++r) {
      values.push_back(sign * report.row_lower[begin + r].at(0));
    }
    return values;
  }
};

// Layers pair up in order; one whose size differs (fused, split or pruned by lowering) is passed over, but
// not all may be.
void RefboundsTest::ExpectLayers(const BoundsReport& report, const std::string& prefix,
                                 bool tighter_is_fine) {
  size_t next = 0, matched = 0;
  for (int layer : reference_.Layers()) {
    const std::vector<double> lower = reference_.Array(prefix + "lower_" + std::to_string(layer));
    const std::vector<double> upper = reference_.Array(prefix + "upper_" + std::to_string(layer));
    size_t at = next;
    while (at < report.layers.size() && report.layers[at].lower.size() != lower.size()) ++at;
    if (at == report.layers.size()) continue;
    next = at + 1;
    ++matched;
    const LayerBounds& ours = report.layers[at];
    Interval in_onnx_order{std::vector<double>(lower.size(), NAN), std::vector<double>(upper.size(), NAN)};
    for (size_t i = 0; i < ours.onnx_index.size(); ++i) {
      if (ours.onnx_index[i] < 0) continue;
      in_onnx_order.lower[static_cast<size_t>(ours.onnx_index[i])] = ours.lower[i];
      in_onnx_order.upper[static_cast<size_t>(ours.onnx_index[i])] = ours.upper[i];
    }
    const double difference = Difference(in_onnx_order, {lower, upper}, tighter_is_fine);
    EXPECT_LE(difference, kTolerance) << prefix << " layer " << layer << " (" << ours.name << ")";
    difference_ = std::max(difference_, difference);
  }
  EXPECT_EQ(matched, reference_.Layers().size());
}

void RefboundsTest::ExpectBelowSamples(const std::vector<double>& lower) const {
  const std::vector<double> sampled = reference_.Array("pgd_min");
  ASSERT_EQ(lower.size(), sampled.size());
  for (size_t r = 0; r < lower.size(); ++r) EXPECT_LE(lower[r], sampled[r]) << "row " << r;
}

TEST_P(RefboundsTest, Interval) {
  const BoundsReport report = Compute({.method = BoundMethod::kInterval, .layers = true});
  ExpectLayers(report, "ibp_pre_", GetParam().folds);
  ExpectRows(report, "ibp", GetParam().folds);
  ExpectBelowSamples(Lower(report));
  PrintLine("interval", "largest difference", difference_, Recorded("ibp"));
}

TEST_P(RefboundsTest, PlainCrown) {
  const BoundsReport report =
      Compute({.method = BoundMethod::kCrown, .intersect_interval = false, .layers = true});
  ExpectLayers(report, "pre_", false);
  ExpectRows(report, "crown", false);
  ExpectBelowSamples(Lower(report));
  PrintLine("CROWN", "largest difference", difference_, Recorded("crown"));
}

TEST_P(RefboundsTest, IntersectedCrownIsNowhereLooser) {
  const BoundsReport report = Compute({.method = BoundMethod::kCrown, .layers = true});
  const std::vector<double> lower = Lower(report), crown = reference_.Array("crown_lb");
  ASSERT_EQ(lower.size(), crown.size());
  ExpectBelowSamples(lower);
  const bool intersected = reference_.Has("crown_isect_lb");
  const std::vector<double> floor = reference_.Array(intersected ? "crown_isect_lb" : "crown_lb");
  const double scale = std::max({LargestAbs(floor), LargestAbs(crown), 1e-9});
  double looser = 0;
  for (size_t r = 0; r < lower.size(); ++r) {
    looser = std::max(looser, (floor[r] - lower[r]) / scale);
    // What a certified bound gives away is its allowance for the rounding of float64, and nothing more.
    EXPECT_GE(lower[r], floor[r] - kTolerance * scale) << "row " << r;
  }
  PrintLine("CROWN meet", "looser by at most", looser, Recorded(intersected ? "crown_isect" : "crown"));
}

void RefboundsTest::CheckFixedAlpha(int64_t iterations, const std::string& array) {
  const BoundsReport report = Compute({.method = BoundMethod::kAlphaCrown,
                                       .intersect_interval = false,
                                       .optimise_intermediate = false,
                                       .iterations = iterations});
  const std::vector<double> lower = Lower(report), crown = reference_.Array("crown_lb"),
                            goal = reference_.Array(array);
  ASSERT_EQ(lower.size(), goal.size());
  ExpectBelowSamples(lower);
  double short_of = 0;
  for (size_t r = 0; r < lower.size(); ++r) {
    const double scale = std::max({std::fabs(crown[r]), std::fabs(goal[r]), 1e-9});
    short_of = std::max(short_of, (goal[r] - lower[r]) / scale);
    EXPECT_GE(lower[r], goal[r] - 1e-3 * scale) << "row " << r;
    EXPECT_GE(lower[r], crown[r] - 1e-5 * scale) << "row " << r << " is looser than without optimisation";
  }
  PrintLine(array.c_str(), "short of it by at most", short_of, Recorded(array.substr(0, array.find('_'))));
}

TEST_P(RefboundsTest, OutputSlopesAfter20Steps) {
  CheckFixedAlpha(20, "alphafix20_lb");
}

TEST_P(RefboundsTest, OutputSlopesAfter100Steps) {
  CheckFixedAlpha(100, "alphafix100_lb");
}

TEST_P(RefboundsTest, OptimisedIntermediateBoundsReachTheJointOnes) {
  const bool whole = reference_.Has("alpha100_lb");
  const std::string array = whole ? "alpha100_lb" : "alpha_last_lb";
  const BoundsReport report = Compute({.method = BoundMethod::kAlphaCrown, .iterations = 100});
  const std::vector<double> lower = Lower(report), crown = reference_.Array("crown_lb"),
                            goal = reference_.Array(array);
  ASSERT_EQ(lower.size(), goal.size());
  ExpectBelowSamples(lower);
  double short_of = -INFINITY;
  for (size_t r = 0; r < lower.size(); ++r) {
    const double scale = std::max(std::fabs(crown[r]), std::fabs(goal[r]));
    short_of = std::max(short_of, (goal[r] - lower[r]) / scale);
    EXPECT_GE(lower[r], goal[r] - 0.01 * scale) << "row " << r;
  }
  PrintLine("alpha-CROWN", "short of it by at most", short_of, Recorded(whole ? "alpha100" : "alpha_last"));
}

// The cases that take longer than CI can wait for stand in a second binary.
#ifdef ESPALIER_LONG_CASES
constexpr GoldenCase kCases[] = {
    {"cifar_biasfield_0", /*folds=*/true}, {"resnet4b_0"}, {"sri_resnet_a_1551"}};
#else
constexpr GoldenCase kCases[] = {{"mnistfc_256x2_p2_0.03"},
                                 {"mnistfc_256x2_p2_0.05"},
                                 {"mnistfc_256x4_p2_0.03"},
                                 {"mnistfc_256x4_p2_0.05"},
                                 {"mnistfc_256x6_p2_0.03"},
                                 {"mnistfc_256x6_p2_0.05"},
                                 {"oval21_base"},
                                 {"oval21_deep"},
                                 {"oval21_wide"},
                                 {"resnet2b_0"},
                                 {"acasxu_1_1_p1"},
                                 {"acasxu_1_1_p3"},
                                 {"reach_robot_0"},
                                 {"reach_gcas_0"},
                                 {"rl_cartpole_0"},
                                 {"collins_rul_small_w20_rob16"},
                                 {"collins_rul_small_w20_ifthen5"},
                                 {"tll_N8_0", /*folds=*/true},
                                 {"dist_shift_4462"}};
#endif

void PrintTo(const GoldenCase& c, std::ostream* out) {
  *out << c.name;
}

INSTANTIATE_TEST_SUITE_P(Cases, RefboundsTest, ::testing::ValuesIn(kCases), [](const auto& param_info) {
  std::string name = param_info.param.name;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

}  // namespace
}  // namespace espalier
