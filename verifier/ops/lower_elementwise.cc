// Element-wise linear operators: sums, products with constants, selections by a constant condition, batch
// normalisation. All of them are diagonal maps; folding joins them with their neighbours.
#include <cmath>
#include <utility>
#include <vector>

#include "verifier/base/status.h"
#include "verifier/ir/compose.h"
#include "verifier/ir/exact_sum.h"
#include "verifier/ops/lower_functions.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {
namespace {

// The sum over the node's inputs of factor[i] * input i, factors given per stored element.
class WeightedSum {
 public:
  WeightedSum(const OpContext& context, Lowering& lowering, int first, int last)
      : context_(context), lowering_(lowering), shape_(lowering.OutputShape(context, 0)) {
    std::vector<LoweredValue> operands;
    for (int i = first; i < last; ++i) {
      if (!context.Constant(i)) operands.push_back(lowering.Input(context, i));
    }
    layout_ = Lowering::CommonLayout(shape_, operands);
    bias_.resize(StoredPositions(shape_, layout_).size());
  }

  std::vector<double> Stored(const Tensor& constant) const {
    return StoredConstant(constant, shape_, layout_);
  }
  std::vector<double> Uniform(double factor) const { return std::vector<double>(bias_.size(), factor); }

  void Add(int input, const std::vector<double>& factor) {
    if (const Tensor* constant = context_.Constant(input)) {
      const std::vector<double> values = Stored(*constant);
      for (size_t i = 0; i < bias_.size(); ++i) bias_[i].AddProduct(factor[i], values[i]);
      return;
    }
    const LoweredValue& x = lowering_.Input(context_, input);
    ir::LinearMap map = lowering_.TermMap(x, shape_, layout_);
    terms_.push_back({x.node, MakeMap(*ir::Compose(ir::Simplify(ir::ScaleMap{factor}), map))});
  }
  // The constant of stored element i, to be added to.
  ir::ExactSum& Bias(size_t i) { return bias_[i]; }

  absl::Status Emit() {
    ir::RoundingBound bound(0);
    std::vector<double> bias, residual;
    for (const ir::ExactSum& sum : bias_) {
      if (!bound.Accept(sum, /*keeps_residual=*/true)) {
        return context_.Unsupported("its constants overflow or cancel beyond double precision");
      }
      bias.push_back(sum.result());
      residual.push_back(sum.residual());
    }
    LoweredValue y = lowering_.AddAffine(lowering_.OutputName(context_, 0), std::move(terms_),
                                         std::move(bias), shape_, layout_);
    lowering_.SetBiasResidual(y, std::move(residual));
    lowering_.SetOutput(context_, 0, std::move(y));
    return absl::OkStatus();
  }

 private:
  const OpContext& context_;
  Lowering& lowering_;
  Shape shape_;
  Layout layout_ = Layout::kRowMajor;
  std::vector<ir::AffineTerm> terms_;
  std::vector<ir::ExactSum> bias_;
};

// gamma / sqrt(variance + epsilon): the nearest double or the one beside it, and what it leaves over,
// together good for 100 bits.
struct NormalisingFactor {
  double value = 0, residual = 0;
};

NormalisingFactor FactorOf(double gamma, double variance, double epsilon) {
  if (gamma == 0) return {};
  const double estimate = gamma / std::sqrt(variance + epsilon);
  // One Newton step for estimate² (variance + epsilon) = gamma², with the difference in double precision
  // twice.
  ir::ExactSum radicand, square, difference, factor;
  radicand.Add(variance), radicand.Add(epsilon);
  square.AddProduct(estimate, estimate);
  difference.AddProduct(gamma, gamma);
  difference.AddProduct(-square.result(), radicand.result());
  difference.AddProduct(-square.result(), radicand.residual());
  difference.AddProduct(-square.residual(), radicand.result());
  factor.Add(estimate);
  factor.Add(estimate * (difference.result() / (2 * gamma * gamma)));
  return {factor.result(), factor.residual()};
}

}  // namespace

absl::Status LowerAdd(const OpContext& context, Lowering& lowering) {
  WeightedSum sum(context, lowering, 0, context.input_count());
  for (int i = 0; i < context.input_count(); ++i) {
    sum.Add(i, sum.Uniform(context.node().op == "Sub" && i == 1 ? -1 : 1));
  }
  return sum.Emit();
}

absl::Status LowerMul(const OpContext& context, Lowering& lowering) {
  const int constant = context.Constant(0) ? 0 : 1;
  if (!context.Constant(constant))
    return context.Unsupported("product of two values that depend on the input");
  WeightedSum sum(context, lowering, 0, 2);
  sum.Add(1 - constant, sum.Stored(*context.Constant(constant)));
  return sum.Emit();
}

absl::Status LowerDiv(const OpContext& context, Lowering& lowering) {
  if (!context.Constant(1)) return context.Unsupported("division by a value that depends on the input");
  WeightedSum sum(context, lowering, 0, 2);
  std::vector<double> factor = sum.Stored(*context.Constant(1));
  for (double& f : factor) {
    if (f == 0) return context.Unsupported("division by zero");
    f = 1 / f;
  }
  sum.Add(0, factor);
  return sum.Emit();
}

absl::Status LowerNeg(const OpContext& context, Lowering& lowering) {
  WeightedSum sum(context, lowering, 0, 1);
  sum.Add(0, sum.Uniform(-1));
  return sum.Emit();
}

absl::Status LowerWhere(const OpContext& context, Lowering& lowering) {
  const Tensor* condition = context.Constant(0);
  if (!condition) return context.Unsupported("the condition depends on the input");
  WeightedSum sum(context, lowering, 1, 3);
  std::vector<double> chosen = sum.Stored(*condition), other = chosen;
  for (size_t i = 0; i < chosen.size(); ++i) {
    chosen[i] = chosen[i] != 0;
    other[i] = 1 - chosen[i];
  }
  sum.Add(1, chosen);
  sum.Add(2, other);
  return sum.Emit();
}

absl::Status LowerBatchNormalization(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const double epsilon, context.Float("epsilon", kDefaultEpsilon));
  const Shape& shape = context.InputShape(0);
  std::vector<Tensor>
      parameters;  // scale, shift, mean, variance; one per channel, made to broadcast over pixels
  for (int i = 1; i < 5; ++i) {
    if (!context.Constant(i)) return context.Unsupported("parameters depend on the input");
    parameters.push_back(*context.Constant(i));
    Shape per_channel(shape.size() - 1, 1);
    per_channel[0] = shape[1];
    parameters.back().shape = per_channel;
  }
  WeightedSum sum(context, lowering, 0, 1);
  std::vector<double> factor = sum.Stored(parameters[0]);
  const std::vector<double> shift = sum.Stored(parameters[1]);
  const std::vector<double> mean = sum.Stored(parameters[2]), variance = sum.Stored(parameters[3]);
  for (size_t i = 0; i < factor.size(); ++i) {
    const NormalisingFactor exact = FactorOf(factor[i], variance[i], epsilon);
    ir::ExactSum& bias = sum.Bias(i);
    bias.AddProduct(-mean[i], exact.value);
    bias.AddProduct(-mean[i], exact.residual);
    bias.Add(shift[i]);
    const bool cancels = bias.magnitude() > 0x1p40 * std::fabs(bias.result());
    if (!std::isfinite(exact.value) || cancels) {
      return context.Unsupported("scale, mean and shift overflow or cancel beyond double precision");
    }
    factor[i] = exact.value;
  }
  sum.Add(0, factor);
  return sum.Emit();
}

}  // namespace espalier::ops
