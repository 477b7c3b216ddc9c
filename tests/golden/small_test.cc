// Bounds of the project's own models against what is known exactly: on a single point every method must give
// the network's value, rows that also read inputs included; on a box nothing may cut off a sample.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/support/test_files.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> Models() {
  std::vector<fs::path> models;
  for (const auto& entry : fs::recursive_directory_iterator(test_support::SourceFolder() / "models")) {
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  }
  return models;
}

Model Load(const fs::path& path) {
  auto model = Model::Load(test_support::ReadFile(path));
  EXPECT_TRUE(model.ok()) << path << ": " << model.status();
  return model.ok() ? *std::move(model) : Model();
}

// One row: 2 X_0 - X_last + Y_0 - 3 Y_last.
struct Query {
  api::Property property;
  double Row(const std::vector<double>& x, const std::vector<double>& y) const {
    return 2 * x.front() - x.back() + y.front() - 3 * y.back();
  }
};

Query MakeQuery(const Model& model, std::vector<double> lower, std::vector<double> upper) {
  Query query;
  query.property.input_size = model.input_size();
  query.property.output_size = model.output_size();
  query.property.boxes.push_back({std::move(lower), std::move(upper)});
  api::LinearRow row;
  row.input = {{0, 2.0}, {static_cast<int32_t>(model.input_size() - 1), -1.0}};
  row.output = {{0, 1.0}, {static_cast<int32_t>(model.output_size() - 1), -3.0}};
  row.rhs = 100;  // bounds are of the left side alone
  query.property.disjuncts = {{0, {row}}};
  return query;
}

std::vector<double> RandomPoint(std::mt19937_64& random, int64_t size) {
  std::vector<double> x;
  for (int64_t i = 0; i < size; ++i) x.push_back(static_cast<double>(random() % 1000) / 1000.0);
  return x;
}

struct Method {
  const char* name;
  BoundsRequest request;
};

const Method kMethods[] = {{"interval", {.method = BoundMethod::kInterval, .threads = 1}},
                           {"crown", {.method = BoundMethod::kCrown, .threads = 1}},
                           {"alpha", {.method = BoundMethod::kAlphaCrown, .iterations = 5, .threads = 1}}};

TEST(SmallGoldenTest, OnAPointEveryMethodGivesTheNetworksValue) {
  ASSERT_FALSE(Models().empty());
  for (const fs::path& path : Models()) {
    const Model model = Load(path);
    std::mt19937_64 random(1);
    const std::vector<double> x = RandomPoint(random, model.input_size());
    const auto y = model.Evaluate(x, /*float64=*/true);
    ASSERT_TRUE(y.ok()) << y.status();
    const Query query = MakeQuery(model, x, x);
    for (const Method& method : kMethods) {
      SCOPED_TRACE(path.string() + " " + method.name);
      const auto report = ComputeBounds(model, query.property, 0, method.request, StopToken());
      ASSERT_TRUE(report.ok()) << report.status();
      for (size_t j = 0; j < y->size(); ++j) {
        const double reach = 1e-6 * (1 + std::fabs((*y)[j]));
        EXPECT_NEAR(report->output_lower[j], (*y)[j], reach);
        EXPECT_NEAR(report->output_upper[j], (*y)[j], reach);
        EXPECT_LE(report->output_lower[j], report->output_upper[j]);
      }
      const double row = query.Row(x, *y);
      EXPECT_NEAR(report->row_lower[0][0], row, 1e-6 * (1 + std::fabs(row)));
    }
  }
}

TEST(SmallGoldenTest, OnABoxEverySampleIsInside) {
  for (const fs::path& path : Models()) {
    const Model model = Load(path);
    std::mt19937_64 random(2);
    std::vector<double> lower = RandomPoint(random, model.input_size()), upper = lower;
    for (double& u : upper) u += 0.05;
    const Query query = MakeQuery(model, lower, upper);
    for (const Method& method : kMethods) {
      SCOPED_TRACE(path.string() + " " + method.name);
      const auto report = ComputeBounds(model, query.property, 0, method.request, StopToken());
      ASSERT_TRUE(report.ok()) << report.status();
      for (int sample = 0; sample < 50; ++sample) {
        std::vector<double> x = lower;
        for (size_t i = 0; i < x.size(); ++i) x[i] += (random() % 2 == 0 ? 0.0 : 1.0) * (upper[i] - lower[i]);
        const auto y = model.Evaluate(x, /*float64=*/true);
        ASSERT_TRUE(y.ok());
        for (size_t j = 0; j < y->size(); ++j) {
          ASSERT_LE(report->output_lower[j], (*y)[j]);
          ASSERT_GE(report->output_upper[j], (*y)[j]);
        }
        ASSERT_LE(report->row_lower[0][0], query.Row(x, *y));
      }
    }
  }
}

}  // namespace
}  // namespace espalier
