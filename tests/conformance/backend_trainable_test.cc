// Maps with weights that change: products and gradients against plain double loops, and the gradient of a
// small net's loss against finite differences.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/conformance/backend_conformance.h"
#include "tests/conformance/backend_map_cases.h"
#include "verifier/backend/training.h"

namespace espalier::backend {
namespace {

constexpr int64_t kRowCounts[] = {1, 3, 128, 257};

std::vector<NamedMap> TrainableMaps() {
  testing::Random random(23);
  std::vector<NamedMap> maps = {
      {"dense 1x1", Dense(random, 1, 1)},
      {"dense 3x5", Dense(random, 3, 5)},
      {"dense 37x53", Dense(random, 37, 53)},
      {"wide dense 10x700", Dense(random, 10, 700)},
      {"high dense 301x29", Dense(random, 301, 29)},
      {"large dense 257x256", Dense(random, 257, 256)},
      {"mostly zero dense 90x110", Dense(random, 90, 110, 0.02)},
  };
  for (const auto& [name, shape] : ConvShapes()) maps.push_back({name, Conv(random, shape, false)});
  return maps;
}

// The map's coefficients, in the order of TrainableMap's weights.
std::vector<double>& Coefficients(ir::LinearMap& map) {
  if (auto* dense = std::get_if<ir::DenseMap>(&map)) return dense->weights;
  return std::get<ir::ConvMap>(map).kernel;
}

// total[k] += sum of gy[i] x[j] over the places (i, j) of coefficient k in W.
void AddWeightGradient(const ir::LinearMap& map, const double* x, const double* gy,
                       std::vector<double>& total) {
  if (const auto* m = std::get_if<ir::DenseMap>(&map)) {
    for (int64_t i = 0; i < m->rows; ++i) {
      for (int64_t j = 0; j < m->cols; ++j) total[static_cast<size_t>(i * m->cols + j)] += gy[i] * x[j];
    }
    return;
  }
  const auto& g = std::get<ir::ConvMap>(map);
  const auto add = [&](int64_t p, int64_t q, int64_t i, int64_t j) {
    const int64_t h = p * g.stride_h - g.pad_top + i * g.dilation_h;
    const int64_t w = q * g.stride_w - g.pad_left + j * g.dilation_w;
    if (h < 0 || h >= g.big_h || w < 0 || w >= g.big_w) return;
    for (int64_t o = 0; o < g.small_c; ++o) {
      double* kernel = total.data() + ((o * g.kernel_h + i) * g.kernel_w + j) * g.big_c;
      const double factor = gy[(p * g.small_w + q) * g.small_c + o];
      for (int64_t c = 0; c < g.big_c; ++c) kernel[c] += factor * x[(h * g.big_w + w) * g.big_c + c];
    }
  };
  for (int64_t pixel = 0; pixel < g.small_h * g.small_w; ++pixel) {
    for (int64_t tap = 0; tap < g.kernel_h * g.kernel_w; ++tap) {
      add(pixel / g.small_w, pixel % g.small_w, tap / g.kernel_w, tap % g.kernel_w);
    }
  }
}

class BackendTrainableTest : public BackendConformanceTest {
 protected:
  Training& training() { return backend().training(); }
  std::unique_ptr<TrainableMap> Make(const ir::LinearMap& map) {
    auto made = training().MakeTrainable(map);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : nullptr;
  }
  std::vector<float> Gradient(TrainableMap& map) {
    std::vector<float> values(static_cast<size_t>(map.weight_count()));
    backend().Download(map.gradient(), map.weight_count() * 4, values.data());
    return values;
  }
  void CheckProducts(TrainableMap& trainable, const ir::LinearMap& map, int64_t rows);
  void CheckGradient(TrainableMap& trainable, const ir::LinearMap& map, int64_t rows);
};

void BackendTrainableTest::CheckProducts(TrainableMap& trainable, const ir::LinearMap& map, int64_t rows) {
  testing::Random random(static_cast<uint64_t>(rows));
  const int64_t in = trainable.input_size(), out = trainable.output_size();
  for (bool forward : {true, false}) {
    SCOPED_TRACE(forward ? "Forward" : "Backward");
    const std::vector<float> values = Values<float>(random, rows * (forward ? in : out));
    const std::vector<float> before = Values<float>(random, rows * (forward ? out : in));
    Guarded<float> source(backend(), values), target(backend(), before);
    if (forward) {
      training().Forward(trainable, rows, source.data(), target.data());
    } else {
      training().Backward(trainable, rows, source.data(), target.data());
    }
    std::vector<double> expected(before.size(), 0.0), magnitude(before.size(), 0.0);
    Expected(map, forward ? ir::Apply : ir::ApplyTransposed, rows, Doubles(values), expected, magnitude);
    ExpectClose<float>(target.Take(), expected, magnitude, std::max(in, out));
    EXPECT_EQ(source.Take(), values) << "the source was changed";
  }
}

void BackendTrainableTest::CheckGradient(TrainableMap& trainable, const ir::LinearMap& map, int64_t rows) {
  SCOPED_TRACE("WeightGradient");
  testing::Random random(static_cast<uint64_t>(rows) + 1);
  const int64_t in = trainable.input_size(), out = trainable.output_size();
  const std::vector<float> x = Values<float>(random, rows * in), gy = Values<float>(random, rows * out);
  Guarded<float> device_x(backend(), x), device_gy(backend(), gy);
  training().WeightGradient(trainable, rows, device_x.data(), device_gy.data());
  std::vector<double> expected(static_cast<size_t>(trainable.weight_count()), 0.0), magnitude(expected);
  std::vector<double> xs = Doubles(x), gys = Doubles(gy);
  for (int64_t r = 0; r < rows; ++r)
    AddWeightGradient(map, xs.data() + r * in, gys.data() + r * out, expected);
  for (std::vector<double>* values : {&xs, &gys}) {
    for (double& v : *values) v = std::fabs(v);
  }
  for (int64_t r = 0; r < rows; ++r)
    AddWeightGradient(map, xs.data() + r * in, gys.data() + r * out, magnitude);
  ExpectClose<float>(Gradient(trainable), expected, magnitude, rows * 8);
  EXPECT_EQ(device_x.Take(), x);
  EXPECT_EQ(device_gy.Take(), gy);
}

TEST_P(BackendTrainableTest, ProductsAndGradientsEqualPlainLoops) {
  for (const NamedMap& named : TrainableMaps()) {
    SCOPED_TRACE(named.name);
    const auto trainable = Make(named.map);
    ASSERT_NE(trainable, nullptr);
    EXPECT_EQ(trainable->input_size(), ir::InputSize(named.map));
    EXPECT_EQ(trainable->output_size(), ir::OutputSize(named.map));
    for (int64_t rows : kRowCounts) {
      SCOPED_TRACE(absl::StrCat(rows, " rows"));
      CheckProducts(*trainable, named.map, rows);
      CheckGradient(*trainable, named.map, rows);
      if (HasFailure()) return;
    }
  }
}

TEST_P(BackendTrainableTest, ChangedWeightsTakeEffectInEveryProduct) {
  for (NamedMap named : TrainableMaps()) {
    SCOPED_TRACE(named.name);
    const auto trainable = Make(named.map);
    ASSERT_NE(trainable, nullptr);
    testing::Random random(5);
    for (int change = 0; change < 2; ++change) {
      for (int64_t rows : {3, 8}) CheckProducts(*trainable, named.map, rows);
      const std::vector<float> fresh = Values<float>(random, trainable->weight_count());
      backend().Upload(fresh.data(), trainable->weight_count() * 4, trainable->weights());
      training().WeightsChanged(*trainable);
      Coefficients(named.map) = Doubles(fresh);
    }
    for (int64_t rows : {3, 8}) CheckProducts(*trainable, named.map, rows);
    if (HasFailure()) return;
  }
}

TEST_P(BackendTrainableTest, WeightsAreTheMapsOwn) {
  for (NamedMap named : TrainableMaps()) {
    const auto trainable = Make(named.map);
    ASSERT_NE(trainable, nullptr);
    std::vector<float> held(static_cast<size_t>(trainable->weight_count()));
    backend().Download(trainable->weights(), trainable->weight_count() * 4, held.data());
    const std::vector<double>& own = Coefficients(named.map);
    EXPECT_EQ(held, std::vector<float>(own.begin(), own.end())) << named.name;
  }
}

TEST_P(BackendTrainableTest, EveryRunHasTheSameBits) {
  for (const NamedMap& named : TrainableMaps()) {
    SCOPED_TRACE(named.name);
    testing::Random random(7);
    const int64_t rows = 130, in = ir::InputSize(named.map), out = ir::OutputSize(named.map);
    Guarded<float> x(backend(), Values<float>(random, rows * in)),
        gy(backend(), Values<float>(random, rows * out));
    std::vector<std::vector<float>> seen;
    for (int run = 0; run < 3; ++run) {
      const auto trainable = Make(named.map);
      ASSERT_NE(trainable, nullptr);
      Guarded<float> y(backend(), std::vector<float>(static_cast<size_t>(rows * out)));
      Guarded<float> gx(backend(), std::vector<float>(static_cast<size_t>(rows * in)));
      training().Forward(*trainable, rows, x.data(), y.data());
      training().Backward(*trainable, rows, gy.data(), gx.data());
      training().WeightGradient(*trainable, rows, x.data(), gy.data());
      for (const std::vector<float>& values : {y.Take(), gx.Take(), Gradient(*trainable)})
        seen.push_back(values);
    }
    for (size_t i = 3; i < seen.size(); ++i) EXPECT_EQ(seen[i], seen[i % 3]);
  }
}

TEST_P(BackendTrainableTest, OtherMapsAreRefused) {
  testing::Random random(3);
  const ir::LinearMap transposed = Conv(random, ConvShapes()[1].second, true);
  for (const ir::LinearMap& map : {ir::LinearMap(ir::IdentityMap{5}), ir::LinearMap(ir::ScaleMap{{1, 2}}),
                                   transposed, ir::LinearMap(ir::SparseMap{1, 2, {0, 1}, {0}, {1.0}})}) {
    EXPECT_EQ(training().MakeTrainable(map).status().code(), absl::StatusCode::kUnimplemented);
  }
  Synchronise();
}

TEST_P(BackendTrainableTest, WeightsCountAgainstTheBudget) {
  testing::Random random(3);
  const ir::LinearMap dense = Dense(random, 200, 300);
  ir::LinearMap conv =
      Conv(random, {.big_h = 8, .big_w = 8, .big_c = 60, .small_c = 80, .kernel_h = 3, .kernel_w = 3}, false);
  for (const ir::LinearMap& map : {dense, conv}) {
    for (int64_t budget : {int64_t{100'000}, int64_t{300'000}}) {  // neither; weights but not their gradient
      auto limited = GetParam().make(budget);
      ASSERT_TRUE(limited.ok());
      EXPECT_EQ((*limited)->training().MakeTrainable(map).status().code(),
                absl::StatusCode::kResourceExhausted);
      EXPECT_TRUE((*limited)->Synchronise().ok()) << "a refused map must not poison the backend";
    }
    const int64_t before = backend().bytes_in_use();
    {
      const auto made = Make(map);
      EXPECT_GE(backend().bytes_in_use(), before + 2 * 4 * made->weight_count());
    }
    EXPECT_EQ(backend().bytes_in_use(), before);
  }
}

// conv, hinge, dense, cross entropy; parameters in float64 for the finite differences.
struct SmallNet {
  ir::LinearMap conv, dense;
  std::vector<double> bias, left, right, intercept;
};

double TotalLoss(const SmallNet& net, int64_t rows, const std::vector<float>& x,
                 const std::vector<int32_t>& label) {
  const auto in = static_cast<size_t>(ir::InputSize(net.conv)),
             hidden = static_cast<size_t>(ir::OutputSize(net.conv)),
             classes = static_cast<size_t>(ir::OutputSize(net.dense));
  double total = 0;
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
    const std::vector<double> row(x.begin() + static_cast<int64_t>(r * in),
                                  x.begin() + static_cast<int64_t>((r + 1) * in));
    std::vector<double> z(hidden, 0.0), logits(classes, 0.0);
    ir::Apply(net.conv, row.data(), z.data());
    for (size_t i = 0; i < hidden; ++i) {
      z[i] += net.bias[i % net.bias.size()];
      z[i] = net.intercept[i] + (z[i] < 0 ? net.left[i] : net.right[i]) * z[i];
    }
    ir::Apply(net.dense, z.data(), logits.data());
    double sum = 0;
    for (double logit : logits) sum += std::exp(logit);
    total += std::log(sum) - logits[static_cast<size_t>(label[r])];
  }
  return total;
}

// The derivative of the loss by `value`, from both sides.
double Slope(const SmallNet& net, double& value, int64_t rows, const std::vector<float>& x,
             const std::vector<int32_t>& label) {
  const double step = 1e-6, start = value;
  value = start + step;
  const double above = TotalLoss(net, rows, x, label);
  value = start - step;
  const double below = TotalLoss(net, rows, x, label);
  value = start;
  return (above - below) / (2 * step);
}

constexpr int64_t kNetRows = 5, kNetChannels = 4, kNetClasses = 4;

// Every third neuron is a line, the others are ReLUs. Parameters are float32 numbers: what the device holds.
SmallNet RandomNet(testing::Random& random) {
  ConvShape shape{.big_h = 6, .big_w = 5, .big_c = 3, .small_c = kNetChannels, .kernel_h = 3, .kernel_w = 3};
  shape.stride_h = shape.stride_w = 2, shape.pad_top = shape.pad_right = 1;
  SmallNet net{Conv(random, shape, false), {}, random.Normals(kNetChannels, 0.3), {}, {}, {}};
  for (double& k : Coefficients(net.conv)) k *= 0.3;
  const int64_t hidden = ir::OutputSize(net.conv);
  net.dense = Dense(random, kNetClasses, hidden);
  for (int64_t i = 0; i < hidden; ++i) {
    const bool line = i % 3 == 0;
    net.right.push_back(line ? 0.4 : 1.0);
    net.left.push_back(line ? 0.4 : 0.0);
    net.intercept.push_back(line ? 0.2 : 0.0);
  }
  for (std::vector<double>* v : {&Coefficients(net.conv), &Coefficients(net.dense), &net.bias, &net.left,
                                 &net.right, &net.intercept}) {
    for (double& value : *v) value = static_cast<double>(static_cast<float>(value));
  }
  return net;
}

// Gradients of TotalLoss as the device computes them.
struct NetGradients {
  std::vector<float> conv, dense, bias, slope, intercept, x;
};

class BackendNetTest : public BackendTrainableTest {
 protected:
  NetGradients DeviceGradients(const SmallNet& net, const std::vector<float>& x,
                               const std::vector<int32_t>& label);
  void ExpectGradient(const std::string& what, const std::vector<float>& gradient,
                      std::vector<double>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(gradient[i]), Slope(net_, values[i], kNetRows, x_, label_), 2e-5)
          << what << i;
    }
  }

  testing::Random random_{31};
  SmallNet net_ = RandomNet(random_);
  std::vector<float> x_ = Values<float>(random_, kNetRows* ir::InputSize(net_.conv));
  std::vector<int32_t> label_ = {0, 3, 1, 2, 3};
};

NetGradients BackendNetTest::DeviceGradients(const SmallNet& net, const std::vector<float>& x,
                                             const std::vector<int32_t>& label) {
  const int64_t rows = kNetRows, hidden = ir::OutputSize(net.conv), channels = kNetChannels;
  const auto floats = [&](const std::vector<double>& v) {
    return Guarded<float>(backend(), std::vector<float>(v.begin(), v.end()));
  };
  const auto zeros = [&](int64_t n) {
    return Guarded<float>(backend(), std::vector<float>(static_cast<size_t>(n)));
  };
  std::vector<double> lines;
  for (size_t i = 0; i < net.left.size(); ++i) lines.push_back(net.left[i] == net.right[i] ? 1.0 : 0.0);
  const auto conv = Make(net.conv), dense = Make(net.dense);
  const auto bias = floats(net.bias), left = floats(net.left), right = floats(net.right),
             intercept = floats(net.intercept), mask = floats(lines);
  Guarded<float> input(backend(), x), gx(backend(), x);
  const auto z = zeros(rows * hidden), a = zeros(rows * hidden), g = zeros(rows * hidden),
             logits = zeros(rows * kNetClasses), glogits = zeros(rows * kNetClasses), gbias = zeros(channels),
             gslope = zeros(hidden), gintercept = zeros(hidden);
  Guarded<int32_t> device_label(backend(), label);
  Training& t = training();
  const HingeArrays<float> hinge{left.data(), right.data(), intercept.data()};
  t.Forward(*conv, rows, input.data(), z.data());
  t.AddRows(rows * hidden / channels, channels, bias.data(), z.data());
  t.HingeForward(rows, hidden, hinge, z.data(), a.data());
  t.Forward(*dense, rows, a.data(), logits.data());
  t.CrossEntropy(rows, kNetClasses, logits.data(), {.label = device_label.data()},
                 {.gradient = glogits.data()});
  t.WeightGradient(*dense, rows, a.data(), glogits.data());
  t.Backward(*dense, rows, glogits.data(), g.data());
  t.LineGradient(rows, hidden, z.data(), g.data(), {mask.data(), gslope.data(), gintercept.data()});
  t.HingeBackward(rows, hidden, hinge, z.data(), g.data());
  t.ColumnSums(rows * hidden / channels, channels, g.data(), gbias.data());
  t.WeightGradient(*conv, rows, input.data(), g.data());
  t.Backward(*conv, rows, g.data(), gx.data());
  Synchronise();
  return {Gradient(*conv), Gradient(*dense), gbias.Take(), gslope.Take(), gintercept.Take(), gx.Take()};
}

TEST_P(BackendNetTest, ParametersGradientsAreTheLosssSlopes) {
  const NetGradients got = DeviceGradients(net_, x_, label_);
  ExpectGradient("conv weight ", got.conv, Coefficients(net_.conv));
  ExpectGradient("dense weight ", got.dense, Coefficients(net_.dense));
  ExpectGradient("bias ", got.bias, net_.bias);
}

TEST_P(BackendNetTest, LinesGradientsAreTheLosssSlopes) {
  const NetGradients got = DeviceGradients(net_, x_, label_);
  for (size_t i = 0; i < net_.left.size(); ++i) {
    if (net_.left[i] != net_.right[i]) {
      EXPECT_EQ(got.slope[i], 0.0f);
      EXPECT_EQ(got.intercept[i], 0.0f);
      continue;
    }
    const double by_left = Slope(net_, net_.left[i], kNetRows, x_, label_),
                 by_right = Slope(net_, net_.right[i], kNetRows, x_, label_);
    EXPECT_NEAR(static_cast<double>(got.slope[i]), by_left + by_right, 2e-5) << i;
    EXPECT_NEAR(static_cast<double>(got.intercept[i]), Slope(net_, net_.intercept[i], kNetRows, x_, label_),
                2e-5);
  }
}

// The sum of the input's gradient along a step of all inputs at once.
TEST_P(BackendNetTest, TheInputsGradientIsTheLosssSlope) {
  const NetGradients got = DeviceGradients(net_, x_, label_);
  double along = 0;
  std::vector<float> above = x_, below = x_;
  for (size_t i = 0; i < x_.size(); ++i) {
    const float direction = i % 2 == 0 ? 0x1.0p-12f : -0x1.0p-12f;
    above[i] += direction;
    below[i] -= direction;
    along += static_cast<double>(got.x[i]) * (static_cast<double>(above[i]) - static_cast<double>(below[i]));
  }
  const double rise = TotalLoss(net_, kNetRows, above, label_) - TotalLoss(net_, kNetRows, below, label_);
  EXPECT_NEAR(along, rise, 1e-4 * std::fabs(along) + 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendNetTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& param_info) { return param_info.param.name; });
INSTANTIATE_TEST_SUITE_P(Backends, BackendTrainableTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace espalier::backend
