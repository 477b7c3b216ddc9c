// The allowances of docs/soundness.md hold for every order in which cuBLAS may sum, adversarial ones as well:
// float32 passes through the CUDA sources against the same bound in float64, order by order. Sums inside the
// kernels have one order, which host execution keeps.
#include "summation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "cuda_kernels/cuda_backend.h"
#include "device.h"
#include "tests/property/bounds_cases.h"
#include "tests/unit/bounds/small_network.h"
#include "verifier/backend/neuron_math.h"
#include "verifier/bounds/rounding.h"

namespace espalier::testing {
namespace {

using cuda_on_host::NamedSummation;
using cuda_on_host::Summation;

// A case whose plan lies on the simulated card.
void MoveToCard(BoundsCase& c, Summation order) {
  cuda_on_host::Behaviour behaviour;
  behaviour.summation = order;
  cuda_on_host::Behave(behaviour);
  auto made = cuda_kernels::MakeCudaBackend({.memory_bytes = int64_t{64} << 20});
  ASSERT_TRUE(made.ok()) << made.status();
  c.plan.reset();
  c.backend = *std::move(made);
  c.plan = *bounds::Plan::Make(c.network, *c.backend);
}

template <class V>
std::vector<double> Read(const BoundsCase& c, const V* device, int64_t count) {
  std::vector<V> values(static_cast<size_t>(count));
  if (count > 0) c.backend->Download(device, count * static_cast<int64_t>(sizeof(V)), values.data());
  return {values.begin(), values.end()};
}

struct PassResult {
  std::vector<double> bound, error;
};

PassResult FloatPass(const BoundsCase& c, const bounds::HostRows& rows, const bounds::DomainBounds& layers) {
  const auto relaxation = *bounds::Relaxation<float>::Make(*c.plan, layers.layers, 1);
  const auto device = *bounds::DeviceRows<float>::Make(*c.plan, rows, layers.boxes);
  bounds::BackwardInput<float> in = device.Input(relaxation);
  in.magnitudes = &layers.magnitudes;
  const auto bound = *backend::Allocate<double>(*c.backend, rows.count());
  const auto error = *backend::Allocate<double>(*c.backend, rows.count());
  bounds::BackwardPass<float> pass(*c.plan);
  const absl::Status status = pass.Run(in, {.bound = bound.data(), .error = error.data()});
  EXPECT_TRUE(status.ok()) << status;
  return {Read(c, bound.data(), rows.count()), Read(c, error.data(), rows.count())};
}

// The float32 pass's own lines, walked in float64 by plain loops: the same bound without its rounding errors.
class Reference {
 public:
  Reference(const BoundsCase& c, const bounds::DomainBounds& layers) : c_(c), layers_(layers) {
    relaxation_ = *bounds::Relaxation<float>::Make(*c.plan, layers.layers, 1);
  }

  double Bound(std::vector<double> row) {
    constant_ = 0;
    lambda_.assign(c_.network.nodes.size(), {});
    for (size_t i = 0; i < lambda_.size(); ++i)
      lambda_[i].assign(static_cast<size_t>(c_.network.nodes[i].size), 0.0);
    lambda_[static_cast<size_t>(c_.network.output)] = std::move(row);
    for (size_t id = c_.network.nodes.size(); id-- > 1;) {
      c_.network.nodes[id].kind == ir::NodeKind::kAffine ? ThroughAffine(id) : ThroughLines(id);
    }
    for (size_t i = 0; i < lambda_[0].size(); ++i) {
      const double x = lambda_[0][i] > 0 ? bounds::RoundDown<float>(layers_.boxes.lower[i])
                                         : bounds::RoundUp<float>(layers_.boxes.upper[i]);
      constant_ += lambda_[0][i] * x;
    }
    return constant_;
  }

 private:
  void ThroughAffine(size_t id) {
    const ir::NetworkNode& node = c_.network.nodes[id];
    for (size_t i = 0; i < node.bias.size(); ++i) constant_ += lambda_[id][i] * node.bias[i];
    for (const auto& term : node.terms) {
      ir::ApplyTransposed(*term.map, lambda_[id].data(),
                          lambda_[static_cast<size_t>(term.predecessor)].data());
    }
  }

  void ThroughLines(size_t id) {
    const ir::NetworkNode& node = c_.network.nodes[id];
    const int activation = c_.plan->node(static_cast<ir::NodeId>(id)).activation;
    const backend::LayerLines<float> lines = relaxation_.lines(activation);
    const std::vector<int32_t>& unstable = relaxation_.unstable(activation);
    const auto count = static_cast<int64_t>(unstable.size());
    std::vector<double> slope = Read(c_, lines.stable_slope, node.size);
    const std::vector<double> convex = Read(c_, lines.convex, count),
                              free = Read(c_, lines.free_start, count),
                              chord = Read(c_, lines.chord_slope, count),
                              intercept = Read(c_, lines.chord_intercept, count);
    for (size_t i = 0; i < node.hinge.intercept.size(); ++i)
      constant_ += lambda_[id][i] * node.hinge.intercept[i];
    for (size_t j = 0; j < unstable.size(); ++j) {
      const auto i = static_cast<size_t>(unstable[j]);
      const bool on_free = backend::OnFreeLine(lambda_[id][i], convex[j]);
      slope[i] = on_free ? free[j] : chord[j];
      if (!on_free) constant_ += lambda_[id][i] * intercept[j];
    }
    std::vector<double>& below = lambda_[static_cast<size_t>(node.predecessor)];
    for (size_t i = 0; i < slope.size(); ++i) below[i] += lambda_[id][i] * slope[i];
  }

  const BoundsCase& c_;
  const bounds::DomainBounds& layers_;
  bounds::Relaxation<float> relaxation_;
  std::vector<std::vector<double>> lambda_;
  double constant_ = 0;
};

class SummationTest : public ::testing::TestWithParam<NamedSummation> {
 protected:
  ~SummationTest() override { cuda_on_host::Behave({}); }
};

TEST_P(SummationTest, TheAllowanceCoversWhatTheOrderLoses) {
  double largest = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    ASSERT_NO_FATAL_FAILURE(MoveToCard(c, GetParam().order));
    const bounds::DomainBounds layers = c.Layers({});
    const bounds::HostRows rows = c.OutputRows(4);
    const PassResult pass = FloatPass(c, rows, layers);
    Reference reference(c, layers);
    const auto outputs = static_cast<size_t>(c.network.output_size());
    for (size_t r = 0; r < pass.bound.size(); ++r) {
      const auto first = rows.coefficients.begin() + static_cast<std::ptrdiff_t>(r * outputs);
      const double exact = reference.Bound({first, first + static_cast<std::ptrdiff_t>(outputs)});
      ASSERT_LE(std::fabs(pass.bound[r] - exact), pass.error[r]) << "row " << r << " exact " << exact;
      largest = std::max(largest, std::fabs(pass.bound[r] - exact) / pass.error[r]);
    }
  }
  EXPECT_GT(largest, 0.001) << "so large an allowance would cover anything";
  RecordProperty("largest_share_of_the_allowance", absl::StrCat(largest));
}

TEST_P(SummationTest, CertifiedBoundsHoldAndHardlyDependOnTheOrder) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const bounds::HostRows rows = c.OutputRows(4);
    std::vector<std::vector<double>> lower;
    for (const Summation order : {Summation::kLibrary, GetParam().order}) {
      ASSERT_NO_FATAL_FAILURE(MoveToCard(c, order));
      const bounds::DomainBounds layers = c.Layers({});
      const auto relaxation = *bounds::Relaxation<double>::Make(*c.plan, layers.layers, 1);
      lower.push_back(*bounds::CertifiedBounds(
          {c.plan.get(), &layers.boxes, nullptr, &relaxation, &layers.magnitudes}, rows, nullptr));
    }
    for (const std::vector<double>& point : c.Points(100)) {
      const auto values = ir::EvaluateNodes(c.network, point);
      for (size_t r = 0; r < lower[1].size(); ++r) ASSERT_LE(lower[1][r], c.RowValue(rows, r, values));
    }
    for (size_t r = 0; r < lower[1].size(); ++r)
      ASSERT_NEAR(lower[0][r], lower[1][r], 1e-9 * (1 + std::fabs(lower[0][r])));
  }
}

// One large number and many that are each lost against it: what descending order leaves out is nearly
// the whole allowance of that map, which is nearly half of the pass's; the other map, which sums nothing, has
// the rest.
TEST_P(SummationTest, TheWorstSumIsCovered) {
  constexpr size_t kTerms = 512;
  bounds::DenseLayer first{{}, std::vector<double>(kTerms, 0.0)};
  for (size_t i = 0; i < kTerms; ++i) first.weights.push_back({i == 0 ? 1.0 : 0.96875 * 0x1p-24});
  const bounds::DenseLayer second{{std::vector<double>(kTerms, 1.0)}, {0.0}};
  BoundsCase c(Random(1), bounds::DenseNetwork(1, {first, second}, {bounds::Relu()}), 1.0);
  c.box = {{1.0}, {1.0}};
  ASSERT_NO_FATAL_FAILURE(MoveToCard(c, GetParam().order));
  const bounds::DomainBounds layers = c.Layers({});
  bounds::HostRows rows;
  rows.start = c.network.output;
  rows.coefficients = {1.0};
  rows.domain = {0};
  const PassResult pass = FloatPass(c, rows, layers);
  const double exact = Reference(c, layers).Bound({1.0});
  EXPECT_LE(std::fabs(pass.bound[0] - exact), pass.error[0]);
  if (GetParam().order == Summation::kDescending) {
    EXPECT_GT(std::fabs(pass.bound[0] - exact), 0.4 * pass.error[0]) << "the allowance has no room to spare";
  }
  if (GetParam().order == Summation::kAscending) {
    EXPECT_LT(std::fabs(pass.bound[0] - exact), 0.1 * pass.error[0]);
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, SummationTest, ::testing::ValuesIn(cuda_on_host::AllSummations()),
                         [](const auto& order) { return std::string(order.param.name); });

// A backend refuses a library whose products are shorter than they should be, and none that only sums in its
// own order.
TEST_P(SummationTest, TheBackendsOwnCheckTellsAnOrderFromShortenedFactors) {
  cuda_on_host::Behaviour behaviour;
  behaviour.summation = GetParam().order;
  behaviour.tf32 = true;
  cuda_on_host::Behave(behaviour);
  const auto made = cuda_kernels::MakeCudaBackend({.memory_bytes = int64_t{64} << 20});
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInternal);
  behaviour.tf32 = false;
  cuda_on_host::Behave(behaviour);
  EXPECT_TRUE(cuda_kernels::MakeCudaBackend({.memory_bytes = int64_t{64} << 20}).ok());
}

TEST(SumInOrderTest, OrdersAreWhatTheirNamesSay) {
  std::mt19937_64 random(1);
  const float tiny = 0x1p-24f;
  const auto sum = [&random](Summation order, std::vector<float> terms) {
    return cuda_on_host::SumInOrder(order, terms, random);
  };
  const std::vector<float> large_first = {1, tiny, tiny, tiny, tiny},
                           large_last = {tiny, tiny, tiny, tiny, 1};
  EXPECT_EQ(sum(Summation::kForward, large_first), 1.0f);
  EXPECT_EQ(sum(Summation::kReverse, large_last), 1.0f);
  EXPECT_EQ(sum(Summation::kDescending, large_last), 1.0f);
  EXPECT_EQ(sum(Summation::kForward, large_last), 1 + 4 * tiny);
  EXPECT_EQ(sum(Summation::kReverse, large_first), 1 + 4 * tiny);
  EXPECT_EQ(sum(Summation::kAscending, large_first), 1 + 4 * tiny);
  EXPECT_EQ(sum(Summation::kPairwise, {tiny, tiny, 1, 2 * tiny}), 1 + 4 * tiny);
  EXPECT_EQ(sum(Summation::kSigns, {1, -1, tiny}), 0.0f);
  EXPECT_EQ(sum(Summation::kForward, {1, -1, tiny}), tiny);
  EXPECT_EQ(sum(Summation::kRandom, {1, 2, 3, 4}), 10.0f);
  EXPECT_TRUE(std::isnan(sum(Summation::kDescending, {1, NAN, 3})));
}

}  // namespace
}  // namespace espalier::testing
