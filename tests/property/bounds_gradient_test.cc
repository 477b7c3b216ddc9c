// The gradients that the optimiser follows are those of the bound: compared with central differences in
// double.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/property/bounds_cases.h"
#include "verifier/bounds/backward.h"

namespace espalier::testing {
namespace {

using bounds::BackwardInput;
using bounds::BackwardOutput;

// Rows of one box with slopes and, where a layer has unstable neurons, one split per row.
class GradientCheck {
 public:
  GradientCheck(BoundsCase& c, int64_t rows)
      : c_(c),
        count_(rows),
        layers_(c.Layers({})),
        host_(c.OutputRows(rows)),
        pass_(*c.plan),
        relaxation_(*bounds::Relaxation<double>::Make(*c.plan, layers_.layers, 1)),
        device_(*bounds::DeviceRows<double>::Make(*c.plan, host_, layers_.boxes)),
        bound_(*backend::Allocate<double>(*c.backend, rows)),
        corner_(*backend::Allocate<double>(*c.backend, rows * c.plan->node(0).size)) {
    MakeVariables();
    in_ = device_.Input(relaxation_);
    in_.slopes = &slopes_;
    in_.splits = &splits_;
    out_.bound = bound_.data();
    out_.corner = corner_.data();
    out_.saved = &saved_;
  }

  struct Outcome {
    int64_t compared = 0, kinks = 0;
  };
  Outcome Compare();

 private:
  // What decides which linear piece of the bound the variables are on.
  struct State {
    std::vector<double> bound;
    std::vector<double> corner;
    std::vector<bool> signs;
  };

  size_t Unstable(size_t a) const { return relaxation_.unstable(static_cast<int>(a)).size(); }

  void MakeVariables() {
    const size_t layers = c_.plan->activations().size();
    for (auto* list : {&slopes_.alpha, &slopes_.first, &slopes_.second}) list->resize(layers);
    splits_.layers.resize(layers);
    const auto rows = static_cast<size_t>(count_);
    for (size_t a = 0; a < layers; ++a) {
      const std::vector<int32_t>& unstable = relaxation_.unstable(static_cast<int>(a));
      const ir::HingeLayer& hinge = c_.plan->hinge(static_cast<int>(a));
      std::vector<double> alpha;
      for (size_t k = 0; k < rows * unstable.size(); ++k) {
        const auto i = static_cast<size_t>(unstable[k % unstable.size()]);
        const double lo = std::min(hinge.left[i], hinge.right[i]),
                     hi = std::max(hinge.left[i], hinge.right[i]);
        alpha.push_back(lo + c_.random.Uniform(0.1, 0.9) * (hi - lo));
      }
      Upload(alpha, slopes_.alpha[a]);
      Upload(std::vector<double>(alpha.size(), 0.0), slopes_.first[a]);
      Upload(std::vector<double>(alpha.size(), 0.0), slopes_.second[a]);
      if (unstable.empty()) continue;
      std::vector<int32_t> begin{0}, neuron;
      std::vector<double> sign, beta;
      for (size_t r = 0; r < rows; ++r) {
        neuron.push_back(
            unstable[static_cast<size_t>(c_.random.Int(0, static_cast<int64_t>(unstable.size()) - 1))]);
        sign.push_back(c_.random.Chance(0.5) ? 1 : -1);
        beta.push_back(c_.random.Uniform(0.1, 0.5));
        begin.push_back(static_cast<int32_t>(neuron.size()));
      }
      auto& layer = splits_.layers[a];
      layer.count = static_cast<int64_t>(neuron.size());
      layer.begin = *bounds::ToDevice<int32_t>(*c_.backend, begin);
      layer.neuron = *bounds::ToDevice<int32_t>(*c_.backend, neuron);
      Upload(sign, layer.sign);
      Upload(beta, layer.beta);
      Upload(std::vector<double>(beta.size(), 0.0), layer.first);
      Upload(std::vector<double>(beta.size(), 0.0), layer.second);
    }
  }
  void Upload(const std::vector<double>& values, backend::Buffer<double>& buffer) {
    buffer = *bounds::ToDevice<double>(*c_.backend, values);
  }
  std::vector<double> Download(const backend::Buffer<double>& buffer, size_t count) const {
    std::vector<double> values(count);
    c_.backend->Download(buffer.data(), static_cast<int64_t>(count * sizeof(double)), values.data());
    return values;
  }
  State Run() {
    const absl::Status status = pass_.Run(in_, out_);
    EXPECT_TRUE(status.ok()) << status;
    State state;
    const auto rows = static_cast<size_t>(count_);
    state.bound = Download(bound_, rows);
    state.corner = Download(corner_, rows * c_.box.lower.size());
    for (size_t a = 0; a < slopes_.alpha.size(); ++a) {
      if (saved_[a].data() == nullptr) continue;
      for (double v : Download(saved_[a], rows * Unstable(a))) state.signs.push_back(v >= 0);
    }
    return state;
  }
  // Derivative of row k's bound with respect to entry `at` of a variable by central differences; NaN at a
  // kink.
  double Numeric(backend::Buffer<double>& variable, const std::vector<double>& base, size_t at, size_t row) {
    constexpr double kStep = 1e-6;
    std::vector<double> moved = base;
    moved[at] = base[at] + kStep;
    Set(moved, variable);
    const State plus = Run();
    moved[at] = base[at] - kStep;
    Set(moved, variable);
    const State minus = Run();
    Set(base, variable);
    if (plus.corner != minus.corner || plus.signs != minus.signs) return std::nan("");
    return (plus.bound[row] - minus.bound[row]) / (2 * kStep);
  }
  void Set(const std::vector<double>& values, backend::Buffer<double>& variable) {
    c_.backend->Upload(values.data(), static_cast<int64_t>(values.size() * sizeof(double)), variable.data());
  }
  void CompareEntry(backend::Buffer<double>& variable, const std::vector<double>& base, size_t at, size_t row,
                    double analytic, Outcome& outcome) {
    const double numeric = Numeric(variable, base, at, row);
    if (std::isnan(numeric)) {
      ++outcome.kinks;
      return;
    }
    ++outcome.compared;
    EXPECT_NEAR(analytic, numeric, 1e-6 * (1 + std::fabs(numeric)));
  }

  BoundsCase& c_;
  int64_t count_;
  bounds::DomainBounds layers_;
  bounds::HostRows host_;
  bounds::BackwardPass<double> pass_;
  bounds::Relaxation<double> relaxation_;
  bounds::DeviceRows<double> device_;
  backend::Buffer<double> bound_, corner_;
  std::vector<backend::Buffer<double>> saved_;
  bounds::Slopes<double> slopes_;
  bounds::Splits<double> splits_;
  BackwardInput<double> in_;
  BackwardOutput<double> out_;
};

GradientCheck::Outcome GradientCheck::Compare() {
  const size_t layers = slopes_.alpha.size(), rows = static_cast<size_t>(count_);
  std::vector<std::vector<double>> alpha(layers), beta(layers), alpha_gradient(layers), beta_gradient(layers);
  for (size_t a = 0; a < layers; ++a) {
    alpha[a] = Download(slopes_.alpha[a], rows * Unstable(a));
    if (splits_.layers[a].count > 0) beta[a] = Download(splits_.layers[a].beta, rows);
  }
  Run();
  const backend::AdamStep step{0.1, 0.1, 1};
  EXPECT_TRUE(pass_.Step(in_, out_, &step).ok());
  // The first moment after one step from zero is a tenth of the gradient.
  for (size_t a = 0; a < layers; ++a) {
    alpha_gradient[a] = Download(slopes_.first[a], rows * Unstable(a));
    if (!beta[a].empty()) beta_gradient[a] = Download(splits_.layers[a].first, rows);
    Set(alpha[a], slopes_.alpha[a]);
    if (!beta[a].empty()) Set(beta[a], splits_.layers[a].beta);
  }
  Outcome outcome;
  for (size_t a = 0; a < layers; ++a) {
    for (int64_t k = 0; k < 6 && !alpha[a].empty(); ++k) {
      SCOPED_TRACE(absl::StrCat("slope of activation ", a));
      const auto at = static_cast<size_t>(c_.random.Int(0, static_cast<int64_t>(alpha[a].size()) - 1));
      CompareEntry(slopes_.alpha[a], alpha[a], at, at / Unstable(a), 10 * alpha_gradient[a][at], outcome);
    }
    for (size_t r = 0; r < rows && !beta[a].empty(); ++r) {
      SCOPED_TRACE(absl::StrCat("multiplier of activation ", a));
      CompareEntry(splits_.layers[a].beta, beta[a], r, r, 10 * beta_gradient[a][r], outcome);
    }
  }
  return outcome;
}

TEST(BoundsGradientTest, StepsFollowTheBoundsGradient) {
  int64_t compared = 0, kinks = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    GradientCheck check(c, 3);
    const GradientCheck::Outcome outcome = check.Compare();
    compared += outcome.compared;
    kinks += outcome.kinks;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(compared, 500);
  EXPECT_LT(kinks, compared / 4);
}

}  // namespace
}  // namespace espalier::testing
