// Maxima: max(a, b) = b + relu(a - b), exactly. Windows with more than two elements play a tournament, one
// activation layer per round.
#include <map>
#include <utility>
#include <vector>

#include "verifier/base/status.h"
#include "verifier/ir/compose.h"
#include "verifier/ops/lower_functions.h"
#include "verifier/ops/lowering.h"
#include "verifier/ops/window.h"

namespace espalier::ops {
namespace {

using Doubles = std::vector<double>;

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// A vector of sums over network nodes plus a constant: the value of one contestant for every output neuron.
struct Contestant {
  std::map<ir::NodeId, ir::LinearMap> terms;
  Doubles bias;

  void Add(ir::NodeId node, ir::LinearMap map) {
    const auto [it, fresh] = terms.try_emplace(node, map);
    if (fresh) return;
    if (auto sum = ir::Sum(it->second, map)) it->second = *std::move(sum);  // selections always have a sum
  }
};

ir::LinearMap Times(double factor, const ir::LinearMap& map) {
  const ir::ScaleMap scale{Doubles(At(ir::OutputSize(map)), factor)};
  return *ir::Compose(ir::Simplify(scale), map);
}

Contestant Combine(double p, const Contestant& a, double q, const Contestant& b) {
  Contestant out;
  out.bias.resize(a.bias.size());
  for (size_t i = 0; i < out.bias.size(); ++i) out.bias[i] = p * a.bias[i] + q * b.bias[i];
  for (const auto& [node, map] : a.terms) out.Add(node, Times(p, map));
  for (const auto& [node, map] : b.terms) out.Add(node, Times(q, map));
  return out;
}

std::vector<ir::AffineTerm> Terms(const Contestant& c) {
  std::vector<ir::AffineTerm> out;
  for (const auto& [node, map] : c.terms) out.push_back({node, MakeMap(map)});
  return out;
}

// Plays pairs until one is left. `sign` 1: maximum; -1: minimum (min(a, b) = b - relu(b - a)).
class Tournament {
 public:
  Tournament(const OpContext& context, Lowering& lowering, double sign, Layout layout)
      : lowering_(lowering),
        name_(lowering.OutputName(context, 0)),
        shape_(lowering.OutputShape(context, 0)),
        layout_(layout),
        sign_(sign) {}

  LoweredValue Play(std::vector<Contestant> field) {
    while (field.size() > 1) field = Round(field);
    return lowering_.AddAffine(name_, Terms(field[0]), field[0].bias, shape_, layout_);
  }

 private:
  // All pairs of a round share one affine node and one activation of `pairs` times the output's size.
  std::vector<Contestant> Round(const std::vector<Contestant>& field) {
    const auto pairs = static_cast<int64_t>(field.size() / 2);
    const auto n = static_cast<int64_t>(field[0].bias.size());
    std::map<ir::NodeId, ir::SparseMap> stacked;  // rows pair after pair
    Doubles bias;
    for (int64_t p = 0; p < pairs; ++p) {
      const Contestant difference = Combine(sign_, field[At(2 * p)], -sign_, field[At(2 * p + 1)]);
      for (const auto& [node, map] : difference.terms) {
        const ir::SparseMap none{0, ir::InputSize(map), {0}, {}, {}};
        Append(stacked.try_emplace(node, none).first->second, p * n, map);
      }
      bias.insert(bias.end(), difference.bias.begin(), difference.bias.end());
    }
    std::vector<ir::AffineTerm> terms;
    for (auto& [node, map] : stacked) {
      PadRows(map, pairs * n);
      terms.push_back({node, MakeMap(ir::Simplify(std::move(map)))});
    }
    const LoweredValue d = lowering_.AddAffine(name_ + "/difference", std::move(terms), std::move(bias),
                                               {1, pairs * n}, Layout::kRowMajor);
    const auto m = At(pairs * n);
    const LoweredValue excess =
        lowering_.AddActivation(name_ + "/excess", d, {Doubles(m, 0.0), Doubles(m, 1.0), Doubles(m, 0.0)});
    std::vector<Contestant> winners;
    for (int64_t p = 0; p < pairs; ++p) {
      winners.push_back(field[At(2 * p + 1)]);
      winners.back().Add(excess.node, Times(sign_, Take(p, pairs, n)));
    }
    if (field.size() % 2 == 1) winners.push_back(field.back());
    return winners;
  }

  // Appends empty rows up to `rows`, and `map` from row `first` on.
  static void PadRows(ir::SparseMap& to, int64_t rows) {
    to.row_begin.resize(At(rows) + 1, to.row_begin.back());
    to.rows = rows;
  }
  static void Append(ir::SparseMap& to, int64_t first, const ir::LinearMap& map) {
    PadRows(to, first);
    const ir::SparseMap part = ir::ToSparse(map);
    const int64_t offset = to.row_begin.back();
    for (int64_t r = 0; r < part.rows; ++r) to.row_begin.push_back(offset + part.row_begin[At(r) + 1]);
    to.column.insert(to.column.end(), part.column.begin(), part.column.end());
    to.value.insert(to.value.end(), part.value.begin(), part.value.end());
    to.rows += part.rows;
  }

  // Block p of `pairs` blocks of n.
  static ir::LinearMap Take(int64_t p, int64_t pairs, int64_t n) {
    std::vector<int64_t> source(At(n));
    for (int64_t i = 0; i < n; ++i) source[At(i)] = p * n + i;
    return ir::Simplify(ir::GatherMap(source, pairs * n));
  }

  Lowering& lowering_;
  std::string name_;
  Shape shape_;
  Layout layout_;
  double sign_;
};

// For tap (i, j) of the window: the stored index of the pixel it reads, per output neuron; where the tap lies
// outside the image, that of some tap inside (a maximum does not mind repetition).
std::vector<int64_t> TapSources(const Window& w, int64_t i, int64_t j) {
  const auto inside = [&](int d, int64_t at) { return at >= 0 && at < w.input[At(d)]; };
  const auto clamp = [&](int d, int64_t out, int64_t tap) {
    const int64_t start = out * w.stride[At(d)] - w.pad_begin[At(d)];
    if (inside(d, start + tap * w.dilation[At(d)])) return start + tap * w.dilation[At(d)];
    for (int64_t t = 0; t < w.kernel[At(d)]; ++t) {
      if (inside(d, start + t * w.dilation[At(d)])) return start + t * w.dilation[At(d)];
    }
    return int64_t{-1};
  };
  std::vector<int64_t> source;
  for (int64_t p = 0; p < w.output[0]; ++p) {
    for (int64_t q = 0; q < w.output[1]; ++q) {
      const int64_t h = clamp(0, p, i), x = clamp(1, q, j);
      for (int64_t c = 0; c < w.in_channels; ++c) {
        source.push_back(h < 0 || x < 0 ? -1 : (h * w.input[1] + x) * w.in_channels + c);
      }
    }
  }
  return source;
}

}  // namespace

absl::Status LowerMaxPool(const OpContext& context, Lowering& lowering) {
  ESPALIER_ASSIGN_OR_RETURN(const Window window, PoolWindow(context));
  if (window.batch != 1) return context.Unsupported("more than one image at a time");
  const auto& outputs = context.node().outputs;
  if (outputs.size() > 1 && outputs[1] != ir::kNoValue)
    return context.Unsupported("the indices of the maxima");
  const int64_t outputs_count = window.output[0] * window.output[1] * window.in_channels;
  if (outputs_count > kMaxEntries / (window.kernel[0] * window.kernel[1])) {
    return context.Unsupported("too many coefficients");
  }
  const LoweredValue x = lowering.InLayout(lowering.Input(context, 0), Layout::kChannelsLast);
  const int64_t size = window.input[0] * window.input[1] * window.in_channels;
  std::vector<Contestant> field;
  for (int64_t i = 0; i < window.kernel[0]; ++i) {
    for (int64_t j = 0; j < window.kernel[1]; ++j) {
      const std::vector<int64_t> source = TapSources(window, i, j);
      for (int64_t s : source) {
        if (s < 0) return context.Unsupported("a window lies outside the image");
      }
      field.push_back({{{x.node, ir::Simplify(ir::GatherMap(source, size))}}, Doubles(source.size(), 0.0)});
    }
  }
  lowering.SetOutput(context, 0,
                     Tournament(context, lowering, 1, Layout::kChannelsLast).Play(std::move(field)));
  return absl::OkStatus();
}

absl::Status LowerMax(const OpContext& context, Lowering& lowering) {
  const Shape& shape = lowering.OutputShape(context, 0);
  std::vector<LoweredValue> operands;
  for (int i = 0; i < context.input_count(); ++i) {
    if (!context.Constant(i)) operands.push_back(lowering.Input(context, i));
  }
  const Layout layout = Lowering::CommonLayout(shape, operands);
  std::vector<Contestant> field;
  for (int i = 0; i < context.input_count(); ++i) {
    if (const Tensor* constant = context.Constant(i)) {
      field.push_back({{}, StoredConstant(*constant, shape, layout)});
      continue;
    }
    const LoweredValue& x = lowering.Input(context, i);
    ir::LinearMap map = lowering.TermMap(x, shape, layout);
    const auto n = At(ir::OutputSize(map));
    field.push_back({{{x.node, std::move(map)}}, Doubles(n, 0.0)});
  }
  const double sign = context.node().op == "Min" ? -1 : 1;
  lowering.SetOutput(context, 0, Tournament(context, lowering, sign, layout).Play(std::move(field)));
  return absl::OkStatus();
}

}  // namespace espalier::ops
