// What goes *up* the flow while a verification runs, and how the search asks whether a point is a
// counterexample.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "verifier/api/verdict.h"

namespace espalier::api {

struct Progress {
  std::string phase;   // "attack", "root", "relu-bab", "input-bab"
  double seconds = 0;  // since the start of the verification
  double bound = 0;    // worst lower bound over open domains (margin; > 0 proves)
  int64_t open = 0;    // open domains
  int64_t closed = 0;  // refuted domains
  int64_t splits = 0;
  int64_t disjuncts_open = 0;
  int64_t disjuncts_total = 0;
};

// Called from the verifying thread only; must return quickly.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnProgress(const Progress& progress) = 0;
  // Disjunct `index` of the property was refuted (at the root or by search).
  virtual void OnDisjunctRefuted(int64_t index) = 0;
};

// Replays a candidate on the original model. `input` is in ONNX order. Returns the witness when the point is
// inside a box and violates in double and in float32 (verifier.cc implements this with check/). Thread-safe.
class WitnessJudge {
 public:
  virtual ~WitnessJudge() = default;
  virtual std::optional<Witness> Judge(absl::Span<const double> input) const = 0;
};

}  // namespace espalier::api
