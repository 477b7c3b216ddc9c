#include "verifier/search/attack.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "verifier/base/status.h"
#include "verifier/bounds/in_blocks.h"
#include "verifier/bounds/rounding.h"

namespace espalier::search {

using backend::Buffer;

struct Attack::Batch {
  std::vector<size_t> targets;      // [samples]
  std::vector<float> x;             // [samples][inputs]
  std::vector<float> lower, upper;  // [samples][inputs], inside the box where it holds float32 values
  std::vector<float> output;        // [samples][outputs]
  std::vector<float> gradient;      // [samples][inputs]
  std::vector<char> judged;         // sample already shown to the judge
  std::vector<double> start, best;  // [samples] margins: at the first point, and the smallest one yet
  std::vector<Buffer<float>> values, slopes;  // per node
  int64_t samples() const { return static_cast<int64_t>(targets.size()); }
};

namespace {

constexpr int64_t kCornersKept = 4;
constexpr int64_t kCornerSteps = 10;

// After this share of its steps, a sample is left whose margin is still more than `gains` times what the
// steps have gained. The first ones cross the box, later ones only turn single inputs: what they add is a
// fraction.
struct Outlook {
  double progress, gains;
};
constexpr Outlook kOutlooks[] = {{0.05, 3}, {0.15, 0.5}, {0.4, 0.2}};

// Keeps the entries, `width` long each, that `keep` names, in their order.
template <class V>
void KeepEntries(const std::vector<size_t>& keep, size_t width, std::vector<V>& values) {
  for (size_t k = 0; k < keep.size(); ++k) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(keep[k] * width), width,
                values.begin() + static_cast<std::ptrdiff_t>(k * width));
  }
  values.resize(keep.size() * width);
}

struct Sides {
  const float *lower, *upper;
};

// x -= rate of the box's width along the sign of each slope, kept inside. Plain enough for the compiler's
// vectors.
void StepInBox(int64_t n, float rate, const float* __restrict slope, const Sides& box, float* __restrict x) {
  const float* __restrict lower = box.lower, * __restrict upper = box.upper;
  for (int64_t j = 0; j < n; ++j) {
    const float sign = static_cast<float>(slope[j] > 0) - static_cast<float>(slope[j] < 0);
    const float moved = x[j] - rate * (upper[j] - lower[j]) * sign;
    const float raised = moved < lower[j] ? lower[j] : moved;
    x[j] = raised > upper[j] ? upper[j] : raised;
  }
}

// Samples per batch such that values of all layers take at most about 64 MB.
int64_t SamplesPerBatch(const bounds::Plan& plan) {
  int64_t neurons = 0;
  for (const auto& node : plan.nodes()) neurons += 2 * node.size;
  return std::clamp<int64_t>((int64_t{1} << 24) / std::max<int64_t>(neurons, 1), 1, 1024);
}

// margin = row(x) - rhs of every row; returns the largest (all rows hold when it is <= 0) and its row.
std::pair<double, int64_t> WorstRow(const Problem& problem, const Target& target, const float* x,
                                    const float* y) {
  std::pair<double, int64_t> worst{-INFINITY, 0};
  for (int64_t r = 0; r < target.rows; ++r) {
    double margin = -target.rhs[static_cast<size_t>(r)];
    const double* c = target.output.data() + r * problem.outputs;
    for (int64_t j = 0; j < problem.outputs; ++j) margin += c[j] * static_cast<double>(y[j]);
    if (!target.input.empty()) {
      const double* d = target.input.data() + r * problem.inputs;
      for (int64_t j = 0; j < problem.inputs; ++j) margin += d[j] * static_cast<double>(x[j]);
    }
    if (!(margin <= worst.first)) worst = {margin, r};
  }
  return worst;
}

}  // namespace

absl::Status Attack::Forward(Batch& batch) {
  const bounds::Plan& plan = run_.plan;
  auto& backend = plan.backend();
  auto& kernels = backend.f32();
  const int64_t samples = batch.samples();
  if (batch.values.empty()) {
    batch.values.resize(plan.nodes().size());
    batch.slopes.resize(plan.nodes().size());
    for (size_t i = 0; i < plan.nodes().size(); ++i) {
      const int64_t count = samples * plan.nodes()[i].size;
      ESPALIER_ASSIGN_OR_RETURN(batch.values[i], backend::Allocate<float>(backend, count));
      ESPALIER_ASSIGN_OR_RETURN(batch.slopes[i], backend::Allocate<float>(backend, count));
    }
  }
  backend.Upload(batch.x.data(), static_cast<int64_t>(batch.x.size() * sizeof(float)),
                 batch.values[0].data());
  for (size_t i = 1; i < plan.nodes().size(); ++i) {
    const bounds::PlanNode& node = plan.nodes()[i];
    float* values = batch.values[i].data();
    if (node.kind == ir::NodeKind::kAffine) {
      kernels.FillRows(samples, node.size, node.f32.bias.data(), values);
      for (const auto& term : node.terms) {
        kernels.Forward(*term.map, samples, batch.values[static_cast<size_t>(term.predecessor)].data(),
                        values, true);
      }
    } else {
      kernels.Fill(samples * node.size, 0.0f, values);
      kernels.Add(samples * node.size, batch.values[static_cast<size_t>(node.predecessor)].data(), values);
      kernels.Hinge(samples, node.size,
                    {node.f32.left.data(), node.f32.right.data(), node.f32.intercept.data()}, values,
                    batch.slopes[i].data());
    }
  }
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  const auto out = static_cast<size_t>(plan.network().output);
  batch.output.resize(static_cast<size_t>(samples * run_.problem.outputs));
  backend.Download(batch.values[out].data(), static_cast<int64_t>(batch.output.size() * sizeof(float)),
                   batch.output.data());
  return absl::OkStatus();
}

absl::StatusOr<bool> Attack::Check(Batch& batch) {
  const Problem& problem = run_.problem;
  std::vector<double> point(static_cast<size_t>(problem.inputs));
  for (int64_t s = 0; s < batch.samples(); ++s) {
    const float* x = batch.x.data() + s * problem.inputs;
    const Target& target = problem.targets[batch.targets[static_cast<size_t>(s)]];
    const auto [margin, row] = WorstRow(problem, target, x, batch.output.data() + s * problem.outputs);
    const auto at = static_cast<size_t>(s);
    if (std::isnan(batch.start[at])) batch.start[at] = batch.best[at] = margin;
    batch.best[at] = std::min(batch.best[at], margin);
    // The float32 forward pass is only a filter; borderline points are worth a replay too.
    const double scale =
        1e-6 * (1.0 + std::fabs(target.rows > 0 ? target.rhs[static_cast<size_t>(row)] : 0.0));
    if (!(margin <= scale)) continue;
    if (margin > 0 && batch.judged[at] != 0) continue;
    batch.judged[at] = 1;
    std::copy_n(x, problem.inputs, point.begin());
    if (run_.TryWitness(point.data())) return true;
  }
  return false;
}

absl::Status Attack::Descend(Batch& batch, double rate) {
  const bounds::Plan& plan = run_.plan;
  const Problem& problem = run_.problem;
  auto& backend = plan.backend();
  auto& kernels = backend.f32();
  const int64_t samples = batch.samples();
  std::vector<float> direction(static_cast<size_t>(samples * problem.outputs));
  std::vector<const double*> input_rows(static_cast<size_t>(samples), nullptr);
  for (int64_t s = 0; s < samples; ++s) {
    const Target& target = problem.targets[batch.targets[static_cast<size_t>(s)]];
    const auto [margin, row] = WorstRow(problem, target, batch.x.data() + s * problem.inputs,
                                        batch.output.data() + s * problem.outputs);
    for (int64_t j = 0; j < problem.outputs && target.rows > 0; ++j) {
      direction[static_cast<size_t>(s * problem.outputs + j)] =
          static_cast<float>(target.output[static_cast<size_t>(row * problem.outputs + j)]);
    }
    if (!target.input.empty())
      input_rows[static_cast<size_t>(s)] = target.input.data() + row * problem.inputs;
  }
  // Gradients overwrite the values, node by node from the output.
  std::vector<bool> reached(plan.nodes().size(), false);
  const ir::NodeId output = plan.network().output;
  backend.Upload(direction.data(), static_cast<int64_t>(direction.size() * sizeof(float)),
                 batch.values[static_cast<size_t>(output)].data());
  reached[static_cast<size_t>(output)] = true;
  for (ir::NodeId id = output; id > 0; --id) {
    if (!reached[static_cast<size_t>(id)]) continue;
    const bounds::PlanNode& node = plan.node(id);
    float* gradient = batch.values[static_cast<size_t>(id)].data();
    if (node.kind == ir::NodeKind::kActivation) {
      const auto p = static_cast<size_t>(node.predecessor);
      kernels.Multiply(samples * node.size, batch.slopes[static_cast<size_t>(id)].data(), gradient);
      if (!reached[p]) kernels.Fill(samples * node.size, 0.0f, batch.values[p].data());
      kernels.Add(samples * node.size, gradient, batch.values[p].data());
      reached[p] = true;
      continue;
    }
    for (const auto& term : node.terms) {
      const auto p = static_cast<size_t>(term.predecessor);
      kernels.Backward(*term.map, samples, gradient, batch.values[p].data(), reached[p]);
      reached[p] = true;
    }
  }
  if (!reached[0]) kernels.Fill(samples * problem.inputs, 0.0f, batch.values[0].data());
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  batch.gradient.resize(batch.x.size());
  backend.Download(batch.values[0].data(), static_cast<int64_t>(batch.x.size() * sizeof(float)),
                   batch.gradient.data());
  for (int64_t s = 0; s < samples; ++s) {
    float* gradient = batch.gradient.data() + s * problem.inputs;
    const double* own = input_rows[static_cast<size_t>(s)];
    for (int64_t j = 0; own != nullptr && j < problem.inputs; ++j) gradient[j] += static_cast<float>(own[j]);
    const int64_t at = s * problem.inputs;
    StepInBox(problem.inputs, static_cast<float>(rate), gradient,
              {batch.lower.data() + at, batch.upper.data() + at}, batch.x.data() + at);
  }
  return absl::OkStatus();
}

absl::Status Attack::LeaveHopeless(double gains, Batch& batch) {
  std::vector<size_t> keep;
  for (size_t s = 0; s < batch.targets.size(); ++s) {
    if (!(batch.best[s] > gains * (batch.start[s] - batch.best[s]))) keep.push_back(s);
  }
  if (keep.size() == batch.targets.size()) return absl::OkStatus();
  run_.statistics.counters["attack_samples_left"] += static_cast<int64_t>(batch.targets.size() - keep.size());
  const auto inputs = static_cast<size_t>(run_.problem.inputs);
  KeepEntries(keep, 1, batch.targets);
  KeepEntries(keep, 1, batch.judged);
  KeepEntries(keep, 1, batch.start);
  KeepEntries(keep, 1, batch.best);
  for (std::vector<float>* points : {&batch.x, &batch.lower, &batch.upper})
    KeepEntries(keep, inputs, *points);
  // What the device holds of the last pass is of all samples.
  return keep.empty() ? absl::OkStatus() : Forward(batch);
}

absl::StatusOr<bool> Attack::Descent(Batch& batch, int64_t steps) {
  batch.judged.assign(batch.targets.size(), 0);
  batch.start.assign(batch.targets.size(), std::numeric_limits<double>::quiet_NaN());
  batch.best = batch.start;
  for (int64_t step = 0;; ++step) {
    ESPALIER_RETURN_IF_ERROR(Forward(batch));
    ESPALIER_ASSIGN_OR_RETURN(const bool found, Check(batch));
    if (found || step == steps || run_.stop.StopRequested()) return found;
    for (const Outlook& outlook : kOutlooks) {
      const auto at = std::max<int64_t>(1, std::llround(outlook.progress * static_cast<double>(steps)));
      if (give_up_ && step == at) ESPALIER_RETURN_IF_ERROR(LeaveHopeless(outlook.gains, batch));
    }
    if (batch.samples() == 0) return false;
    // Half the box at first, then geometrically down to a thousandth.
    const double progress = static_cast<double>(step) / static_cast<double>(std::max<int64_t>(steps, 1));
    ESPALIER_RETURN_IF_ERROR(Descend(batch, 0.25 * std::pow(0.004, progress)));
  }
}

absl::StatusOr<bool> Attack::From(const std::vector<size_t>& targets, const std::vector<double>& points,
                                  int64_t steps) {
  const Problem& problem = run_.problem;
  const int64_t block = SamplesPerBatch(run_.plan);
  const auto total = static_cast<int64_t>(targets.size());
  bool found = false;
  const auto part = [&](int64_t begin, int64_t end) -> absl::Status {
    if (found) return absl::OkStatus();
    Batch batch;
    batch.targets.assign(targets.begin() + begin, targets.begin() + end);
    for (int64_t s = 0; s < batch.samples(); ++s) {
      const api::Box& box =
          problem.boxes[static_cast<size_t>(problem.targets[batch.targets[static_cast<size_t>(s)]].box)];
      for (int64_t j = 0; j < problem.inputs; ++j) {
        const auto i = static_cast<size_t>(j);
        // Inwards; an interval without a float32 value collapses to the nearest one.
        float low = bounds::RoundUp<float>(box.lower[i]), high = bounds::RoundDown<float>(box.upper[i]);
        if (low > high) low = high = static_cast<float>(0.5 * box.lower[i] + 0.5 * box.upper[i]);
        batch.lower.push_back(low);
        batch.upper.push_back(high);
        batch.x.push_back(std::clamp(
            static_cast<float>(points[static_cast<size_t>((begin + s) * problem.inputs + j)]), low, high));
      }
    }
    ESPALIER_ASSIGN_OR_RETURN(found, Descent(batch, steps));
    return absl::OkStatus();
  };
  ESPALIER_RETURN_IF_ERROR(bounds::InBlocks(run_.plan.backend(), total, block, run_.stop, part));
  return found;
}

absl::StatusOr<bool> Attack::Random(const std::vector<size_t>& targets, const AttackSettings& settings) {
  PhaseTimer timer(run_, "attack");
  give_up_ = settings.give_up;
  const Problem& problem = run_.problem;
  std::mt19937_64 random(settings.seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  std::vector<size_t> samples;
  std::vector<double> points;
  for (int64_t restart = 0; restart < settings.restarts; ++restart) {
    for (size_t t : targets) {
      samples.push_back(t);
      const api::Box& box = problem.boxes[static_cast<size_t>(problem.targets[t].box)];
      for (size_t j = 0; j < box.lower.size(); ++j) {
        const double at = restart == 0 ? 0.5 : uniform(random);
        points.push_back(box.lower[j] + at * (box.upper[j] - box.lower[j]));
      }
    }
  }
  return From(samples, points, settings.steps);
}

absl::StatusOr<bool> AttackCorners(Run& run, const std::vector<Domain>& domains) {
  std::vector<const Domain*> order;
  for (const Domain& domain : domains) {
    if (!domain.corner.empty()) order.push_back(&domain);
  }
  if (order.empty()) return false;
  const auto kept = static_cast<int64_t>(std::min<size_t>(order.size(), kCornersKept));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                    [](const Domain* x, const Domain* y) { return x->bound < y->bound; });
  std::vector<size_t> targets;
  std::vector<double> points;
  for (int64_t k = 0; k < kept; ++k) {
    const Domain& domain = *order[static_cast<size_t>(k)];
    targets.push_back(static_cast<size_t>(domain.target));
    points.insert(points.end(), domain.corner.begin(), domain.corner.end());
  }
  PhaseTimer timer(run, "attack");
  return Attack(run).From(targets, points, kCornerSteps);
}

}  // namespace espalier::search
