// Problem: a property in the network's own input order, with its rows as dense coefficients, plus what every
// search method shares: how to report, when to stop, whom to ask about candidates.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "verifier/api/events.h"
#include "verifier/api/options.h"
#include "verifier/api/property.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/plan.h"
#include "verifier/bounds/rows.h"
#include "verifier/search/batch_size.h"

namespace espalier::search {

// One disjunct: unsafe when every row holds. Margin of a row: row(x) - rhs; > 0 everywhere refutes the
// disjunct.
struct Target {
  int64_t disjunct = 0;  // index in the property
  int32_t box = 0;
  int64_t rows = 0;
  std::vector<double> output;  // [rows][outputs]
  std::vector<double> input;   // [rows][inputs] stored order; empty when no row has input terms
  std::vector<double> rhs;     // [rows]
};

struct Problem {
  std::vector<api::Box> boxes;  // stored input order
  std::vector<Target> targets;
  int64_t inputs = 0, outputs = 0;

  // How many input dimensions of the box have positive width.
  int64_t FreeInputs(int32_t box) const;
};

// INVALID_ARGUMENT when the property's sizes do not fit the network.
absl::StatusOr<Problem> MakeProblem(const ir::Network& network, const api::Property& property);

// Host rows for single rows of targets: margin > 0 refutes. `weights` combine a target's rows ([rows], >= 0);
// their rounding allowance is charged to the row's offset_error with `output_magnitude`.
void AppendRow(const Problem& problem, const Target& target, const std::vector<double>& weights,
               int32_t domain, const std::vector<double>& output_magnitude, bounds::HostRows& rows);
// The weights that pick one row.
std::vector<double> UnitWeights(const Target& target, int64_t row);

// Shared by all phases of one verification. Not thread-safe but for what says so.
class Run {
 public:
  Run(const Problem& problem, const bounds::Plan& plan, const api::Options& options,
      const api::WitnessJudge& judge, api::EventSink* sink, StopToken stop);

  const Problem& problem;
  const bounds::Plan& plan;
  const api::Options& options;
  StopToken stop;
  api::Statistics statistics;
  std::vector<std::string> explanation;
  // Of domains that are bounded together: halves of neurons' ranges, and boxes.
  BatchSize batch, box_batch;
  // Branch and bound calls it between its rounds; may be null.
  std::function<void()> between_rounds;

  bool refuted(size_t target) const { return refuted_[target]; }
  int64_t open_targets() const { return open_; }
  void Refute(size_t target);
  std::vector<size_t> OpenTargets() const;

  // Where two threads work at once (backend::Backend::Both), statistics and explanation change through these
  // alone; seconds are added up over both.
  void AddSeconds(const std::string& phase, double seconds);
  void Count(const std::string& counter, int64_t count);
  void Explain(std::string sentence);

  // Asks the judge about a point in stored order. True when it is a counterexample: the search ends.
  bool TryWitness(const double* stored_input);
  const std::optional<api::Witness>& witness() const { return witness_; }

  // After Lap() on the backend: the time since then was that of so many domains.
  void TookBatch(BatchSize& of, int64_t domains);

  // A subproblem was given up because arithmetic cannot tell: `bound` is its certified margin, <= 0.
  void NoteUndecided(double bound);
  int64_t undecided() const { return undecided_; }
  // How far below zero the certified margins of undecided subproblems are at most; infinite: not bounded.
  double gap() const { return gap_; }

  // At most about 5 per second.
  void Report(const std::string& phase, double bound, int64_t open, int64_t closed);
  double SecondsSinceStart() const { return absl::ToDoubleSeconds(absl::Now() - start_); }

 private:
  const api::WitnessJudge& judge_;
  api::EventSink* sink_;
  std::vector<bool> refuted_;
  int64_t open_ = 0;
  std::optional<api::Witness> witness_;
  int64_t undecided_ = 0;
  double gap_ = 0;
  absl::Time start_, last_report_;
  std::mutex notes_;  // of statistics and explanation
};

// Adds the time from construction to destruction to the run's statistics.seconds[phase].
class PhaseTimer {
 public:
  PhaseTimer(Run& run, std::string phase) : run_(run), phase_(std::move(phase)), start_(absl::Now()) {}
  ~PhaseTimer() { run_.AddSeconds(phase_, absl::ToDoubleSeconds(absl::Now() - start_)); }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  Run& run_;
  std::string phase_;
  absl::Time start_;
};

}  // namespace espalier::search
