// Certified bounds hold every point of the box, on random networks of every kind: no tolerance anywhere.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/property/bounds_cases.h"
#include "verifier/bounds/interval.h"
#include "verifier/bounds/optimise.h"

namespace espalier::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Values = std::vector<std::vector<double>>;

// Every activation's input lies inside its layer's bounds.
void ExpectInside(const BoundsCase& c, const bounds::DomainBounds& layers, const Values& values) {
  for (size_t a = 0; a < layers.layers.size(); ++a) {
    const auto node = static_cast<size_t>(c.plan->node(c.plan->activations()[a]).predecessor);
    for (size_t i = 0; i < values[node].size(); ++i) {
      ASSERT_LE(layers.layers[a].lower[i], values[node][i]) << "activation " << a << " neuron " << i;
      ASSERT_GE(layers.layers[a].upper[i], values[node][i]) << "activation " << a << " neuron " << i;
    }
  }
}

Values RowValues(const BoundsCase& c, const bounds::HostRows& rows, const std::vector<Values>& samples) {
  Values result;
  for (const Values& values : samples) {
    result.emplace_back();
    for (size_t r = 0; r < static_cast<size_t>(rows.count()); ++r)
      result.back().push_back(c.RowValue(rows, r, values));
  }
  return result;
}

void ExpectBelow(const std::vector<double>& lower, const Values& row_values) {
  for (const std::vector<double>& values : row_values) {
    for (size_t r = 0; r < lower.size(); ++r) {
      ASSERT_FALSE(std::isnan(lower[r]));
      ASSERT_LE(lower[r], values[r]) << "row " << r;
    }
  }
}

std::vector<Values> Evaluate(BoundsCase& c, size_t count = 500) {
  std::vector<Values> samples;
  for (const std::vector<double>& point : c.Points(count))
    samples.push_back(ir::EvaluateNodes(c.network, point));
  return samples;
}

template <class T>
struct PassResult {
  std::vector<double> bound, error;
};

// One pass of precision T with its allowance.
template <class T>
PassResult<T> RunPass(const BoundsCase& c, const bounds::HostRows& rows, const bounds::DomainBounds& layers) {
  const auto relaxation = *bounds::Relaxation<T>::Make(*c.plan, layers.layers, 1);
  const auto device = *bounds::DeviceRows<T>::Make(*c.plan, rows, layers.boxes);
  bounds::BackwardInput<T> in = device.Input(relaxation);
  in.magnitudes = &layers.magnitudes;
  const auto bound = *backend::Allocate<double>(*c.backend, rows.count());
  const auto error = *backend::Allocate<double>(*c.backend, rows.count());
  bounds::BackwardPass<T> pass(*c.plan);
  const absl::Status status = pass.Run(in, {.bound = bound.data(), .error = error.data()});
  EXPECT_TRUE(status.ok()) << status;
  PassResult<T> result;
  result.bound.resize(static_cast<size_t>(rows.count()));
  result.error.resize(result.bound.size());
  c.backend->Download(bound.data(), rows.count() * 8, result.bound.data());
  c.backend->Download(error.data(), rows.count() * 8, result.error.data());
  return result;
}

std::vector<double> Certified(const BoundsCase& c, const bounds::HostRows& rows,
                              const bounds::DomainBounds& layers,
                              const bounds::Slopes<float>* slopes = nullptr) {
  const auto relaxation = *bounds::Relaxation<double>::Make(*c.plan, layers.layers, 1);
  const auto lower = bounds::CertifiedBounds(
      {c.plan.get(), &layers.boxes, nullptr, &relaxation, &layers.magnitudes}, rows, slopes);
  EXPECT_TRUE(lower.ok()) << lower.status();
  return *lower;
}

std::vector<double> AlphaCertified(const BoundsCase& c, const bounds::HostRows& rows,
                                   const bounds::DomainBounds& layers, int64_t iterations) {
  const auto relaxation = *bounds::Relaxation<float>::Make(*c.plan, layers.layers, 1);
  const auto device = *bounds::DeviceRows<float>::Make(*c.plan, rows, layers.boxes);
  bounds::BackwardInput<float> in = device.Input(relaxation);
  bounds::Slopes<float> slopes;
  in.slopes = &slopes;
  bounds::Optimiser<float> optimiser(*c.plan);
  EXPECT_TRUE(optimiser.StartSlopes(in, slopes).ok());
  bounds::OptimiseResult result;
  EXPECT_TRUE(optimiser.Run(in, {.iterations = iterations}, nullptr, StopToken(), result).ok());
  return Certified(c, rows, layers, &slopes);
}

struct Method {
  const char* name;
  bounds::IntermediateSettings settings;
};

const Method kMethods[] = {
    {"interval", {.backward = false}},
    {"crown", {}},
    {"plain_crown", {.intersect_interval = false}},
    {"alpha", {.iterations = 8}},
    {"screened", {.screening_flops = 0, .screening_only = true}},
};

class BoundsMethodTest : public ::testing::TestWithParam<Method> {};

TEST_P(BoundsMethodTest, EverySampleIsInside) {
  for (uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const bounds::DomainBounds layers = c.Layers(GetParam().settings);
    ASSERT_TRUE(layers.complete);
    const std::vector<Values> samples = Evaluate(c);
    for (const Values& values : samples) ASSERT_NO_FATAL_FAILURE(ExpectInside(c, layers, values));
    const bounds::HostRows rows = c.OutputRows(6);
    const Values row_values = RowValues(c, rows, samples);
    {
      SCOPED_TRACE("float64 rows");
      ASSERT_NO_FATAL_FAILURE(ExpectBelow(Certified(c, rows, layers), row_values));
    }
    {
      SCOPED_TRACE("optimised rows");
      ASSERT_NO_FATAL_FAILURE(ExpectBelow(AlphaCertified(c, rows, layers, 10), row_values));
    }
    SCOPED_TRACE("float32 rows with their allowance");
    PassResult<float> f32 = RunPass<float>(c, rows, layers);
    for (size_t r = 0; r < f32.bound.size(); ++r) f32.bound[r] -= f32.error[r];
    ASSERT_NO_FATAL_FAILURE(ExpectBelow(f32.bound, row_values));
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, BoundsMethodTest, ::testing::ValuesIn(kMethods),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(BoundsTest, OptimisedRowsAreNeverLooser) {
  int tighter = 0;
  for (uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const bounds::DomainBounds layers = c.Layers({});
    const bounds::HostRows rows = c.OutputRows(5);
    const std::vector<double> crown = Certified(c, rows, layers), alpha = AlphaCertified(c, rows, layers, 15);
    const std::vector<double> allowance = RunPass<float>(c, rows, layers).error;
    for (size_t r = 0; r < crown.size(); ++r) {
      ASSERT_GE(alpha[r], crown[r] - 2 * allowance[r]) << "row " << r;
      tighter += alpha[r] > crown[r] + 1e-3;
    }
  }
  EXPECT_GT(tighter, 150);
}

// Methods that know more give bounds that are contained in those that know less.
TEST(BoundsTest, MoreWorkOnlyTightens) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const bounds::DomainBounds interval = c.Layers({.backward = false}),
                               plain = c.Layers({.intersect_interval = false}), crown = c.Layers({}),
                               alpha = c.Layers({.iterations = 8});
    for (size_t a = 0; a < crown.layers.size(); ++a) {
      for (size_t i = 0; i < crown.layers[a].lower.size(); ++i) {
        const double reach =
            1e-6 * (1 + std::fabs(crown.layers[a].lower[i]) + std::fabs(crown.layers[a].upper[i]));
        ASSERT_GE(crown.layers[a].lower[i], interval.layers[a].lower[i] - reach);
        ASSERT_LE(crown.layers[a].upper[i], interval.layers[a].upper[i] + reach);
        // Later layers start from different lines, where tighter may be looser; neurons that are decided or
        // linear anyway are not looked at again.
        const bool decided =
            crown.layers[a].lower[i] >= 0 || crown.layers[a].upper[i] <= 0 ||
            c.plan->hinge(static_cast<int>(a)).left[i] == c.plan->hinge(static_cast<int>(a)).right[i];
        if (a > 0 || decided) continue;
        ASSERT_GE(crown.layers[a].lower[i], plain.layers[a].lower[i] - reach);
        ASSERT_GE(alpha.layers[a].lower[i], crown.layers[a].lower[i] - reach);
        ASSERT_LE(alpha.layers[a].upper[i], crown.layers[a].upper[i] + reach);
      }
    }
  }
}

// On boxes that are hardly more than a point nothing hides float32's rounding: bounds that keep it must hold
// all the same, every neuron's.
TEST(BoundsTest, ScreenedBoundsHoldOnBoxesBelowFloat32sResolution) {
  int64_t rounded = 0;
  for (uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const std::vector<double> point = RandomPoint(c.random, c.box);
    for (size_t i = 0; i < point.size(); ++i) {
      // A value that float32 has, so that the box is not widened by its own rounding.
      const auto centre = static_cast<double>(static_cast<float>(point[i]));
      c.box.lower[i] = c.box.upper[i] = centre;
    }
    const bounds::DomainBounds layers =
        c.Layers({.intersect_interval = false, .screening_flops = 0, .screening_only = true});
    const bounds::DomainBounds exact = c.Layers({.intersect_interval = false});
    const Values values = ir::EvaluateNodes(c.network, c.box.lower);
    for (size_t a = 0; a < layers.layers.size(); ++a) {
      const auto node = static_cast<size_t>(c.plan->node(c.plan->activations()[a]).predecessor);
      for (size_t i = 0; i < values[node].size(); ++i) {
        ASSERT_LE(layers.layers[a].lower[i], exact.layers[a].upper[i])
            << "activation " << a << " neuron " << i;
        ASSERT_GE(layers.layers[a].upper[i], exact.layers[a].lower[i])
            << "activation " << a << " neuron " << i;
        rounded += layers.layers[a].lower[i] < exact.layers[a].lower[i];
      }
    }
  }
  EXPECT_GT(rounded, 1000) << "the bounds were not float32's";
}

// Without a neuron to relax there is nothing to lose: bounds are exact up to rounding.
TEST(BoundsTest, LinearNetworksAreBoundedExactly) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    ir::Network network =
        RandomNetwork(random, {.inputs = random.Int(1, 6), .layers = 3, .max_hinges = 0, .skip = 0.5});
    BoundsCase c(random, std::move(network), 1.0);
    const bounds::DomainBounds layers = c.Layers({});
    const bounds::HostRows rows = c.OutputRows(4);
    const std::vector<double> lower = Certified(c, rows, layers);
    std::vector<double> least(lower.size(), kInfinity);
    const size_t corners = size_t{1} << c.box.lower.size();
    for (size_t k = 0; k < corners; ++k) {
      std::vector<double> x;
      for (size_t i = 0; i < c.box.lower.size(); ++i)
        x.push_back((k >> i & 1) != 0 ? c.box.upper[i] : c.box.lower[i]);
      const Values values = ir::EvaluateNodes(c.network, x);
      for (size_t r = 0; r < lower.size(); ++r) least[r] = std::min(least[r], c.RowValue(rows, r, values));
    }
    for (size_t r = 0; r < lower.size(); ++r) {
      EXPECT_LE(lower[r], least[r]);
      EXPECT_NEAR(lower[r], least[r], 1e-10 * (1 + std::fabs(least[r])));
    }
  }
}

// One and two inputs: a fine grid comes as close to the minimum as anything can.
TEST(BoundsTest, TinyNetworksStayBelowTheGridMinimum) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const int64_t inputs = 1 + static_cast<int64_t>(seed % 2);
    BoundsCase c(random, RandomNetwork(random, {.inputs = inputs, .outputs = 2, .layers = 2, .width = 6}),
                 1.0);
    const int64_t steps = inputs == 1 ? 4000 : 80;
    const bounds::HostRows rows = c.OutputRows(4);
    Values row_values;
    for (int64_t k = 0; k < (inputs == 1 ? steps + 1 : (steps + 1) * (steps + 1)); ++k) {
      std::vector<double> x;
      for (int64_t i = 0, rest = k; i < inputs; ++i, rest /= steps + 1) {
        const double at = static_cast<double>(rest % (steps + 1)) / static_cast<double>(steps);
        const auto j = static_cast<size_t>(i);
        x.push_back(std::clamp(c.box.lower[j] + at * (c.box.upper[j] - c.box.lower[j]), c.box.lower[j],
                               c.box.upper[j]));
      }
      row_values.push_back(RowValues(c, rows, {ir::EvaluateNodes(c.network, x)})[0]);
    }
    for (const Method& method : kMethods) {
      SCOPED_TRACE(method.name);
      const bounds::DomainBounds layers = c.Layers(method.settings);
      ASSERT_NO_FATAL_FAILURE(ExpectBelow(AlphaCertified(c, rows, layers, 20), row_values));
    }
  }
}

// Layers scaled up and down by many orders of magnitude, and neurons that cancel each other.
void MakeIllConditioned(Random& random, ir::Network& network, double decades) {
  for (ir::NetworkNode& node : network.nodes) {
    for (ir::AffineTerm& term : node.terms) {
      const auto* dense = std::get_if<ir::DenseMap>(term.map.get());
      if (dense == nullptr) continue;
      ir::DenseMap scaled = *dense;
      for (int64_t r = 0; r < scaled.rows; ++r) {
        const double scale = std::pow(10.0, random.Uniform(-decades, decades));
        const bool cancel = r > 0 && random.Chance(0.3);
        for (int64_t k = 0; k < scaled.cols; ++k) {
          double& w = scaled.weights[static_cast<size_t>(r * scaled.cols + k)];
          w = cancel ? -scaled.weights[static_cast<size_t>((r - 1) * scaled.cols + k)] * (1 + 1e-9 * w)
                     : scale * w;
        }
      }
      term.map = std::make_shared<ir::LinearMap>(std::move(scaled));
    }
  }
}

TEST(BoundsTest, ExtremeMagnitudesStaySound) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    ir::Network network = RandomNetwork(random, {.inputs = 3, .outputs = 3, .layers = 3, .width = 8});
    MakeIllConditioned(random, network, seed % 3 == 0 ? 30 : 8);  // 30: float32 overflows
    BoundsCase c(random, std::move(network), 1.0);
    const std::vector<Values> samples = Evaluate(c);
    const bounds::HostRows rows = c.OutputRows(4);
    const Values row_values = RowValues(c, rows, samples);
    for (const Method& method : kMethods) {
      SCOPED_TRACE(method.name);
      const bounds::DomainBounds layers = c.Layers(method.settings);
      for (const Values& values : samples) ASSERT_NO_FATAL_FAILURE(ExpectInside(c, layers, values));
      ASSERT_NO_FATAL_FAILURE(ExpectBelow(Certified(c, rows, layers), row_values));
      ASSERT_NO_FATAL_FAILURE(ExpectBelow(AlphaCertified(c, rows, layers, 5), row_values));
      PassResult<float> f32 = RunPass<float>(c, rows, layers);
      for (size_t r = 0; r < f32.bound.size(); ++r) {
        f32.bound[r] -= f32.error[r];
        if (std::isnan(f32.bound[r])) f32.bound[r] = -kInfinity;  // proves nothing
      }
      ASSERT_NO_FATAL_FAILURE(ExpectBelow(f32.bound, row_values));
    }
  }
}

// Bounds that are NaN or infinite are no information: what comes out is still below every sample.
TEST(BoundsTest, UnknownLayerBoundsProveNothing) {
  for (uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::DomainBounds layers = c.Layers({});
    for (bounds::LayerBox& box : layers.layers) {
      for (size_t i = 0; i < box.lower.size(); ++i) {
        if (c.random.Chance(0.2)) box.lower[i] = c.random.Chance(0.5) ? -kInfinity : std::nan("");
        if (c.random.Chance(0.2)) box.upper[i] = c.random.Chance(0.5) ? kInfinity : std::nan("");
      }
    }
    layers.magnitudes = *bounds::Magnitudes::Make(*c.plan, c.box.lower, c.box.upper, layers.layers);
    const bounds::HostRows rows = c.OutputRows(6);
    const Values row_values = RowValues(c, rows, Evaluate(c, 200));
    ASSERT_NO_FATAL_FAILURE(ExpectBelow(Certified(c, rows, layers), row_values));
    ASSERT_NO_FATAL_FAILURE(ExpectBelow(AlphaCertified(c, rows, layers, 4), row_values));
  }
}

// Several boxes at once give what each gives alone.
TEST(BoundsTest, BatchesOfBoxesEqualSingleOnes) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::InputBoxes batch;
    batch.domains = 3;
    for (int d = 0; d < 3; ++d) {
      for (size_t i = 0; i < c.box.lower.size(); ++i) {
        const double a = c.random.Uniform(c.box.lower[i], c.box.upper[i]),
                     b = c.random.Uniform(c.box.lower[i], c.box.upper[i]);
        batch.lower.push_back(std::min(a, b));
        batch.upper.push_back(std::max(a, b));
      }
    }
    const auto together = *bounds::ComputeIntermediate(*c.plan, batch, {}, StopToken());
    const auto n = static_cast<int64_t>(c.box.lower.size());
    for (int64_t d = 0; d < 3; ++d) {
      const bounds::InputBoxes one{1,
                                   {batch.lower.begin() + d * n, batch.lower.begin() + (d + 1) * n},
                                   {batch.upper.begin() + d * n, batch.upper.begin() + (d + 1) * n}};
      const auto alone = *bounds::ComputeIntermediate(*c.plan, one, {}, StopToken());
      for (size_t a = 0; a < alone.layers.size(); ++a) {
        const size_t width = alone.layers[a].lower.size();
        for (size_t i = 0; i < width; ++i) {
          const size_t at = static_cast<size_t>(d) * width + i;
          const double reach =
              1e-9 * (1 + std::fabs(alone.layers[a].lower[i]) + std::fabs(alone.layers[a].upper[i]));
          ASSERT_NEAR(together.layers[a].lower[at], alone.layers[a].lower[i], reach);
          ASSERT_NEAR(together.layers[a].upper[at], alone.layers[a].upper[i], reach);
        }
      }
    }
  }
}

}  // namespace
}  // namespace espalier::testing
