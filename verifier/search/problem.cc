#include "verifier/search/problem.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"

namespace espalier::search {
namespace {

// So that the coefficients of a batch are about so many numbers. What a device with a clock finds better may
// be up to eight times as much, and an eighth.
BatchSize BatchFor(const bounds::Plan& plan, const api::Options& options, int64_t numbers) {
  if (options.batch > 0) return BatchSize({options.batch, options.batch, options.batch});
  const int64_t start = std::clamp<int64_t>(numbers / std::max<int64_t>(plan.total_neurons(), 1), 8, 1024);
  return BatchSize({start / 8, start, 8 * start});
}

absl::Status CheckBox(const api::Box& box, int64_t inputs, size_t index) {
  if (static_cast<int64_t>(box.lower.size()) != inputs || static_cast<int64_t>(box.upper.size()) != inputs) {
    return absl::InvalidArgumentError(
        absl::StrCat("box ", index, " of the query has ", box.lower.size(), " inputs, the network ", inputs));
  }
  for (size_t i = 0; i < box.lower.size(); ++i) {
    if (!(box.lower[i] <= box.upper[i]) || !std::isfinite(box.lower[i]) || !std::isfinite(box.upper[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("box ", index, ": bounds of X_", i, " are not an interval"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Target> MakeTarget(const ir::Network& network, const api::Disjunct& disjunct, size_t boxes,
                                  const std::vector<int32_t>& stored_of_onnx) {
  const auto inputs = static_cast<size_t>(network.input_size()),
             outputs = static_cast<size_t>(network.output_size());
  if (disjunct.box < 0 || static_cast<size_t>(disjunct.box) >= boxes) {
    return absl::InvalidArgumentError("a disjunct of the query names a box that does not exist");
  }
  Target target;
  target.box = disjunct.box;
  target.rows = static_cast<int64_t>(disjunct.rows.size());
  target.output.assign(disjunct.rows.size() * outputs, 0.0);
  const bool has_input = std::any_of(disjunct.rows.begin(), disjunct.rows.end(),
                                     [](const api::LinearRow& row) { return !row.input.empty(); });
  if (has_input) target.input.assign(disjunct.rows.size() * inputs, 0.0);
  for (size_t r = 0; r < disjunct.rows.size(); ++r) {
    target.rhs.push_back(disjunct.rows[r].rhs);
    for (const auto& [index, value] : disjunct.rows[r].output) {
      if (index < 0 || static_cast<size_t>(index) >= outputs) {
        return absl::InvalidArgumentError(
            absl::StrCat("the query names Y_", index, ", the network has ", outputs));
      }
      target.output[r * outputs + static_cast<size_t>(index)] += value;
    }
    for (const auto& [index, value] : disjunct.rows[r].input) {
      if (index < 0 || static_cast<size_t>(index) >= inputs) {
        return absl::InvalidArgumentError(
            absl::StrCat("the query names X_", index, ", the network has ", inputs));
      }
      target.input[r * inputs + static_cast<size_t>(stored_of_onnx[static_cast<size_t>(index)])] += value;
    }
  }
  return target;
}

}  // namespace

int64_t Problem::FreeInputs(int32_t box) const {
  const api::Box& b = boxes[static_cast<size_t>(box)];
  int64_t free = 0;
  for (size_t i = 0; i < b.lower.size(); ++i) free += b.lower[i] < b.upper[i];
  return free;
}

absl::StatusOr<Problem> MakeProblem(const ir::Network& network, const api::Property& property) {
  Problem problem;
  problem.inputs = network.input_size();
  problem.outputs = network.output_size();
  std::vector<int32_t> stored_of_onnx(network.input_order.size());
  for (size_t i = 0; i < network.input_order.size(); ++i) {
    stored_of_onnx[static_cast<size_t>(network.input_order[i])] = static_cast<int32_t>(i);
  }
  for (size_t b = 0; b < property.boxes.size(); ++b) {
    ESPALIER_RETURN_IF_ERROR(CheckBox(property.boxes[b], problem.inputs, b));
    api::Box stored;
    for (int64_t onnx : network.input_order) {
      stored.lower.push_back(property.boxes[b].lower[static_cast<size_t>(onnx)]);
      stored.upper.push_back(property.boxes[b].upper[static_cast<size_t>(onnx)]);
    }
    problem.boxes.push_back(std::move(stored));
  }
  for (size_t d = 0; d < property.disjuncts.size(); ++d) {
    ESPALIER_ASSIGN_OR_RETURN(
        Target target, MakeTarget(network, property.disjuncts[d], problem.boxes.size(), stored_of_onnx));
    target.disjunct = static_cast<int64_t>(d);
    problem.targets.push_back(std::move(target));
  }
  return problem;
}

std::vector<double> UnitWeights(const Target& target, int64_t row) {
  std::vector<double> weights(static_cast<size_t>(target.rows), 0.0);
  weights[static_cast<size_t>(row)] = 1.0;
  return weights;
}

void AppendRow(const Problem& problem, const Target& target, const std::vector<double>& weights,
               int32_t domain, const std::vector<double>& output_magnitude, bounds::HostRows& rows) {
  const auto n = static_cast<size_t>(problem.outputs), inputs = static_cast<size_t>(problem.inputs);
  std::vector<double> output(n, 0.0), input(target.input.empty() ? 0 : inputs, 0.0);
  double offset = 0, scale = 0;
  int64_t used = 0;
  for (size_t r = 0; r < weights.size(); ++r) {
    if (weights[r] == 0) continue;
    ++used;
    const double w = weights[r];
    for (size_t j = 0; j < n; ++j) {
      output[j] += w * target.output[r * n + j];
      if (!output_magnitude.empty()) scale += std::fabs(w * target.output[r * n + j]) * output_magnitude[j];
    }
    const api::Box& box = problem.boxes[static_cast<size_t>(target.box)];
    for (size_t j = 0; j < input.size(); ++j) {
      input[j] += w * target.input[r * inputs + j];
      scale += std::fabs(w * target.input[r * inputs + j]) *
               std::max(std::fabs(box.lower[j]), std::fabs(box.upper[j]));
    }
    offset -= w * target.rhs[r];
    scale += std::fabs(w * target.rhs[r]);
  }
  // One row with weight 1 is exact; combinations lose rounding of the products and sums.
  const bool exact = used == 1 && *std::max_element(weights.begin(), weights.end()) == 1.0;
  rows.domain.push_back(domain);
  rows.coefficients.insert(rows.coefficients.end(), output.begin(), output.end());
  rows.offset.push_back(offset);
  rows.offset_error.push_back(exact ? 0.0 : bounds::Gamma<double>(static_cast<double>(used) + 4.0) * scale);
  // Rows with and without input terms may meet in one batch: missing ones are zero.
  if (!input.empty() || !rows.input_coefficients.empty()) {
    rows.input_coefficients.resize((rows.domain.size() - 1) * inputs, 0.0);
    input.resize(inputs, 0.0);
    rows.input_coefficients.insert(rows.input_coefficients.end(), input.begin(), input.end());
  }
}

Run::Run(const Problem& p, const bounds::Plan& pl, const api::Options& o, const api::WitnessJudge& judge,
         api::EventSink* sink, StopToken s)
    : problem(p),
      plan(pl),
      options(o),
      stop(std::move(s)),
      batch(BatchFor(pl, o, int64_t{1} << 24)),
      box_batch(BatchFor(pl, o, int64_t{1} << 20)),
      judge_(judge),
      sink_(sink),
      refuted_(p.targets.size(), false),
      open_(static_cast<int64_t>(p.targets.size())),
      start_(absl::Now()),
      last_report_(absl::InfinitePast()) {}

void Run::AddSeconds(const std::string& phase, double seconds) {
  std::lock_guard lock(notes_);
  statistics.seconds[phase] += seconds;
}

void Run::Count(const std::string& counter, int64_t count) {
  std::lock_guard lock(notes_);
  statistics.counters[counter] += count;
}

void Run::Explain(std::string sentence) {
  std::lock_guard lock(notes_);
  explanation.push_back(std::move(sentence));
}

void Run::TookBatch(BatchSize& of, int64_t domains) {
  const double seconds = plan.backend().Lap();
  if (!(seconds > 0)) return;
  of.Took(domains, seconds);
  statistics.counters["batch_size"] = of.size();
}

void Run::Refute(size_t target) {
  if (refuted_[target]) return;
  refuted_[target] = true;
  --open_;
  if (sink_ != nullptr) sink_->OnDisjunctRefuted(problem.targets[target].disjunct);
}

std::vector<size_t> Run::OpenTargets() const {
  std::vector<size_t> open;
  for (size_t t = 0; t < refuted_.size(); ++t) {
    if (!refuted_[t]) open.push_back(t);
  }
  return open;
}

bool Run::TryWitness(const double* stored_input) {
  if (witness_.has_value()) return true;
  const std::vector<int64_t>& order = plan.network().input_order;
  std::vector<double> onnx(order.size());
  for (size_t i = 0; i < order.size(); ++i) onnx[static_cast<size_t>(order[i])] = stored_input[i];
  ++statistics.counters["witness_candidates"];
  witness_ = judge_.Judge(onnx);
  return witness_.has_value();
}

void Run::NoteUndecided(double bound) {
  ++undecided_;
  if (!(-bound <= gap_)) gap_ = std::isnan(bound) ? std::numeric_limits<double>::infinity() : -bound;
}

void Run::Report(const std::string& phase, double bound, int64_t open, int64_t closed) {
  if (sink_ == nullptr) return;
  const absl::Time now = absl::Now();
  if (now - last_report_ < absl::Milliseconds(200)) return;
  last_report_ = now;
  api::Progress progress;
  progress.phase = phase;
  progress.seconds = absl::ToDoubleSeconds(now - start_);
  progress.bound = bound;
  progress.open = open;
  progress.closed = closed;
  progress.splits = statistics.splits;
  progress.disjuncts_open = open_;
  progress.disjuncts_total = static_cast<int64_t>(problem.targets.size());
  sink_->OnProgress(progress);
}

}  // namespace espalier::search
