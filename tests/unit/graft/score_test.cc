#include "verifier/graft/score.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "tests/unit/graft/graft_network.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/graft/score_margin.h"

namespace espalier::graft {
namespace {

constexpr int64_t kInputs = 6;

Dense RandomDense(std::mt19937_64& random, int64_t rows, int64_t cols) {
  const auto uniform = [&] { return static_cast<double>(random() % 2001) / 1000.0 - 1.0; };
  Dense layer;
  for (int64_t r = 0; r < rows; ++r) {
    layer.weights.emplace_back();
    for (int64_t c = 0; c < cols; ++c) layer.weights.back().push_back(uniform());
    layer.bias.push_back(0.3 * uniform());
  }
  return layer;
}

std::vector<Dense> RandomLayers() {
  std::mt19937_64 random(5);
  return {RandomDense(random, 8, kInputs), RandomDense(random, 7, 8), RandomDense(random, 3, 7)};
}

Dataset RandomData(int64_t samples) {
  std::mt19937_64 random(6);
  std::vector<std::vector<float>> values;
  std::vector<int32_t> labels;
  for (int64_t s = 0; s < samples; ++s) {
    values.emplace_back();
    for (int64_t i = 0; i < kInputs; ++i)
      values.back().push_back(static_cast<float>(random() % 1000) / 1000.0F);
    labels.push_back(static_cast<int32_t>(random() % 3));
  }
  return MakeData(kInputs, values, labels);
}

const ScoreSettings kSettings{.epsilon = 0.1};

Scores Scored(const ir::Network& network, const Dataset& data, const ScoreSettings& settings = kSettings) {
  const auto backend = OneThread();
  auto scores = ComputeScores(network, Samples{&data, AllOf(data)}, settings, *backend, nullptr, StopToken());
  EXPECT_TRUE(scores.ok()) << scores.status();
  return *std::move(scores);
}

std::vector<double> SampleOf(const Dataset& data, int64_t sample) {
  std::vector<float> x(kInputs);
  data.CopySample(sample, x.data());
  return {x.begin(), x.end()};
}

bounds::InputBoxes BoxOf(const Dataset& data, int64_t sample) {
  bounds::InputBoxes box{1, {}, {}};
  for (double v : SampleOf(data, sample)) {
    box.lower.push_back(std::max(0.0, v - kSettings.epsilon));
    box.upper.push_back(std::min(1.0, v + kSettings.epsilon));
  }
  return box;
}

double CrossEntropy(const std::vector<double>& outputs, int32_t label) {
  double sum = 0;
  for (double v : outputs) sum += std::exp(v);
  return std::log(sum) - outputs[static_cast<size_t>(label)];
}

// More samples than are bounded together, against the verifier's float64 bounds of each.
TEST(ComputeScoresTest, InstabilityIsThatOfTheVerifiersBounds) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(40);
  const Scores scores = Scored(network, data);
  const auto backend = OneThread();
  const auto plan = *bounds::Plan::Make(network, *backend);
  PerNeuron unstable = {std::vector<double>(8), std::vector<double>(7)};
  for (int64_t s = 0; s < data.size(); ++s) {
    const auto computed = bounds::ComputeIntermediate(*plan, BoxOf(data, s), {}, StopToken());
    for (size_t a = 0; a < 2; ++a) {
      const bounds::LayerBox& box = computed->layers[a];
      for (size_t i = 0; i < box.lower.size(); ++i) unstable[a][i] += box.lower[i] < 0 && box.upper[i] > 0;
    }
  }
  double all = 0;
  for (size_t a = 0; a < 2; ++a) {
    double layer = 0;
    for (size_t i = 0; i < unstable[a].size(); ++i) {
      EXPECT_NEAR(scores.instability[a][i], unstable[a][i] / 40, 1e-12) << a << ' ' << i;
      layer += unstable[a][i] / 40;
    }
    EXPECT_NEAR(scores.unstable_per_layer[a], layer, 1e-9);
    all += layer;
  }
  EXPECT_GT(all, 1);
  EXPECT_LT(all, 14);
  EXPECT_EQ(scores.samples, 40);
}

TEST(ComputeScoresTest, SeveralWorkersAddUpToTheSame) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(120);
  const Samples samples{&data, AllOf(data)};
  const auto backend = OneThread();
  ScoreSettings settings = kSettings;
  const auto alone = ComputeScores(network, samples, settings, *backend, nullptr, StopToken());
  settings.workers = 3;
  settings.make_worker = [] { return backend::MakeCpuBackend({.threads = 1, .memory_bytes = 0}); };
  std::vector<int64_t> seen;
  const auto progress = [&](int64_t done, int64_t total) {
    seen.push_back(done);
    EXPECT_EQ(total, 120);
  };
  const auto shared = ComputeScores(network, samples, settings, *backend, progress, StopToken());
  ASSERT_TRUE(alone.ok() && shared.ok()) << alone.status() << shared.status();
  EXPECT_EQ(shared->instability, alone->instability);
  EXPECT_EQ(shared->looseness, alone->looseness);
  EXPECT_EQ(shared->cost, alone->cost);
  EXPECT_EQ(shared->certified, alone->certified);
  EXPECT_EQ(shared->samples, 120);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), 120);
}

TEST(ComputeScoresTest, AWorkersErrorAndAStopComeBack) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(40);
  const Samples samples{&data, AllOf(data)};
  const auto backend = OneThread();
  ScoreSettings settings = kSettings;
  settings.workers = 2;
  settings.make_worker = []() -> absl::StatusOr<std::unique_ptr<backend::Backend>> {
    return absl::UnavailableError("no backend");
  };
  EXPECT_EQ(ComputeScores(network, samples, settings, *backend, nullptr, StopToken()).status().message(),
            "no backend");
  settings.make_worker = [] { return backend::MakeCpuBackend({.threads = 1, .memory_bytes = 0}); };
  StopSource source;
  source.Cancel();
  EXPECT_TRUE(absl::IsCancelled(
      ComputeScores(network, samples, settings, *backend, nullptr, source.token()).status()));
}

TEST(ComputeScoresTest, MagnitudeAndGradientByPlainEvaluation) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(5);
  const Scores scores = Scored(network, data);
  for (size_t a = 0; a < 2; ++a) {
    const size_t affine = 1 + 2 * a;
    for (size_t i = 0; i < scores.magnitude[a].size(); ++i) {
      double magnitude = 0, gradient = 0;
      for (int64_t s = 0; s < data.size(); ++s) {
        const int32_t label = data.labels[static_cast<size_t>(s)];
        magnitude += std::fabs(ir::EvaluateNodes(network, SampleOf(data, s))[affine][i]) / 5;
        double loss[2];
        for (int side : {0, 1}) {
          ir::Network moved = network;
          moved.nodes[affine].bias[i] += side == 0 ? -1e-6 : 1e-6;
          loss[side] = CrossEntropy(ir::EvaluateNodes(moved, SampleOf(data, s)).back(), label);
        }
        gradient += std::fabs(loss[1] - loss[0]) / 2e-6 / 5;
      }
      EXPECT_NEAR(scores.magnitude[a][i], magnitude, 1e-5) << a << ' ' << i;
      EXPECT_NEAR(scores.gradient[a][i], gradient, 1e-5) << a << ' ' << i;
    }
  }
}

// The residual of the least-squares line and the derivative of the loss by the neuron's value, by hand.
TEST(ComputeScoresTest, CostIsTheLinesResidualTimesTheGradient) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(7);
  const Scores scores = Scored(network, data);
  const auto samples = static_cast<double>(data.size());
  int64_t positive = 0;
  for (size_t a = 0; a < 2; ++a) {
    const size_t affine = 1 + 2 * a;
    for (size_t i = 0; i < scores.cost[a].size(); ++i) {
      std::vector<double> z, f;
      double squares = 0, mean_z = 0, mean_f = 0, variance = 0, covariance = 0, residual = 0;
      for (int64_t s = 0; s < data.size(); ++s) {
        const auto values = ir::EvaluateNodes(network, SampleOf(data, s));
        z.push_back(values[affine][i]);
        f.push_back(values[affine + 1][i]);
        mean_z += z.back() / samples;
        mean_f += f.back() / samples;
        double loss[2];
        for (int side : {0, 1}) {
          ir::Network moved = network;
          moved.nodes[affine + 1].hinge.intercept[i] += side == 0 ? -1e-6 : 1e-6;
          loss[side] = CrossEntropy(ir::EvaluateNodes(moved, SampleOf(data, s)).back(),
                                    data.labels[static_cast<size_t>(s)]);
        }
        squares += std::pow((loss[1] - loss[0]) / 2e-6, 2) / samples;
      }
      for (size_t s = 0; s < z.size(); ++s) {
        variance += std::pow(z[s] - mean_z, 2);
        covariance += (z[s] - mean_z) * (f[s] - mean_f);
      }
      for (size_t s = 0; s < z.size(); ++s) {
        residual += std::pow(f[s] - mean_f - covariance / variance * (z[s] - mean_z), 2) / samples;
      }
      EXPECT_NEAR(scores.cost[a][i], std::sqrt(squares * residual), 1e-5) << a << ' ' << i;
      positive += scores.cost[a][i] > 1e-4;
    }
  }
  EXPECT_GT(positive, 3);
}

// Contributions of all neurons add up to what the bound loses at its corner, and the bound is the smallest
// certified one over the other classes.
TEST(ScoreMarginsTest, ContributionsAddUpToTheLooseness) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(12);
  const auto backend = OneThread();
  const auto plan = *bounds::Plan::Make(network, *backend);
  std::vector<double> sums;
  for (int64_t iterations : {0, 10}) {
    double total = 0, bound = 0;
    for (int64_t s = 0; s < data.size(); ++s) {
      SampleBounds sample;
      sample.boxes = BoxOf(data, s);
      sample.layers = bounds::ComputeIntermediate(*plan, sample.boxes, {}, StopToken())->layers;
      sample.relaxations.push_back(*bounds::Relaxation<float>::Make(*plan, sample.layers, 1));
      MarginScores margins;
      const std::vector<int32_t> label = {data.labels[static_cast<size_t>(s)]};
      ASSERT_TRUE(ScoreMargins(*plan, sample, label, iterations, StopToken(), margins).ok());
      double sum = 0;
      for (const auto& layer : margins.contribution) {
        for (double c : layer) {
          EXPECT_GE(c, 0);
          sum += c;
        }
      }
      EXPECT_NEAR(sum, margins.attained[0] - margins.bound[0], 1e-5) << s;
      total += sum;
      bound += margins.bound[0];
    }
    sums.push_back(bound);
    EXPECT_GT(total, 0.1);
  }
  EXPECT_GT(sums[1], sums[0]);  // optimised slopes help
}

TEST(ComputeScoresTest, LoosenessAndCertifiedAreMeansOverSamples) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(3);
  const Scores together = Scored(network, data);
  double certified = 0;
  PerNeuron looseness = {std::vector<double>(8), std::vector<double>(7)};
  for (int64_t s = 0; s < 3; ++s) {
    const auto backend = OneThread();
    const auto one = ComputeScores(network, Samples{&data, {s}}, kSettings, *backend, nullptr, StopToken());
    ASSERT_TRUE(one.ok()) << one.status();
    EXPECT_TRUE(one->certified == 0 || one->certified == 1);
    certified += one->certified / 3;
    for (size_t a = 0; a < 2; ++a) {
      for (size_t i = 0; i < looseness[a].size(); ++i) looseness[a][i] += one->looseness[a][i] / 3;
    }
  }
  EXPECT_NEAR(together.certified, certified, 1e-12);
  for (size_t a = 0; a < 2; ++a) {
    for (size_t i = 0; i < looseness[a].size(); ++i) {
      EXPECT_NEAR(together.looseness[a][i], looseness[a][i], 1e-5);
    }
  }
}

// y = relu(x) - relu(-x) against 0 over [0.2, 0.4] and [0, 0.2]: y > 0 is certified in the first box only.
TEST(ComputeScoresTest, CertifiedSamples) {
  const ir::Network network = ReluNetwork(1, {{{{1}, {-1}}, {0, 0}}, {{{1, -1}, {0, 0}}, {0, 0.1}}});
  const Scores scores = Scored(network, MakeData(1, {{0.3F}, {0.1F}}, {0, 0}));
  EXPECT_EQ(scores.certified, 0.5);
}

TEST(ComputeScoresTest, PermutedNeuronsGivePermutedScores) {
  std::vector<Dense> layers = RandomLayers();
  const Scores before = Scored(ReluNetwork(kInputs, layers), RandomData(6));
  std::swap(layers[0].weights[1], layers[0].weights[6]);
  std::swap(layers[0].bias[1], layers[0].bias[6]);
  for (auto& row : layers[1].weights) std::swap(row[1], row[6]);
  const Scores after = Scored(ReluNetwork(kInputs, layers), RandomData(6));
  const PerNeuron Scores::*lists[] = {&Scores::instability, &Scores::magnitude, &Scores::gradient,
                                      &Scores::looseness};
  for (const auto list : lists) {
    for (size_t a = 0; a < 2; ++a) {
      for (size_t i = 0; i < (before.*list)[a].size(); ++i) {
        const size_t to = a == 0 && i == 1 ? 6 : a == 0 && i == 6 ? 1 : i;
        EXPECT_NEAR((before.*list)[a][i], (after.*list)[a][to], 1e-5);
      }
    }
  }
  EXPECT_NE(before.magnitude[0][1], before.magnitude[0][6]);
}

TEST(ComputeScoresTest, LinearNeuronsScoreZero) {
  ir::Network network = ReluNetwork(kInputs, RandomLayers());
  ir::HingeLayer& hinge = network.nodes[2].hinge;
  hinge.left[3] = hinge.right[3] = 0.4;
  const Scores scores = Scored(network, RandomData(6));
  for (const PerNeuron* list :
       {&scores.instability, &scores.magnitude, &scores.gradient, &scores.looseness}) {
    EXPECT_EQ((*list)[0][3], 0);
  }
  EXPECT_GT(scores.magnitude[0][2], 0);
}

TEST(ComputeScoresTest, OptimisedSlopesAreNotWorse) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(6);
  const Scores plain = Scored(network, data);
  const Scores optimised = Scored(network, data, {.epsilon = 0.1, .alpha_iterations = 20});
  EXPECT_GE(optimised.certified, plain.certified);
  EXPECT_LE(optimised.unstable_per_layer[1], plain.unstable_per_layer[1] + 1e-9);
}

TEST(ComputeScoresTest, ProgressStopAndErrors) {
  const ir::Network network = ReluNetwork(kInputs, RandomLayers());
  const Dataset data = RandomData(20);
  const auto backend = OneThread();
  std::vector<int64_t> seen;
  const auto note = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 18);
    seen.push_back(done);
  };
  ScoreSettings settings = kSettings;
  settings.samples = 18;
  ASSERT_TRUE(
      ComputeScores(network, Samples{&data, AllOf(data)}, settings, *backend, note, StopToken()).ok());
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), 18);
  const auto code = [&](const Dataset& d, const std::vector<int64_t>& order, StopToken stop) {
    return ComputeScores(network, Samples{&d, order}, settings, *backend, nullptr, stop).status().code();
  };
  EXPECT_EQ(code(data, {20}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(data, {}, {}), absl::StatusCode::kInvalidArgument);
  Dataset wrong = data;
  wrong.labels[0] = 3;
  EXPECT_EQ(code(wrong, {0}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(wrong, {1}, {}), absl::StatusCode::kOk);
  wrong.shape = {2, 3};
  EXPECT_EQ(code(wrong, {1}, {}), absl::StatusCode::kOk);
  wrong.shape = {5};
  EXPECT_EQ(code(wrong, {1}, {}), absl::StatusCode::kInvalidArgument);
  StopSource stop;
  stop.Cancel();
  EXPECT_EQ(code(data, {0}, stop.token()), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace espalier::graft
