// Where a training or grafting call has got to, as bytes (an .npz of named arrays) and back.
//
//   std::string bytes = *WriteCheckpoint({.fingerprint = f, .training = state});
//   ESPALIER_ASSIGN_OR_RETURN(CheckpointState state, ReadCheckpoint(bytes, f));
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/api/training.h"
#include "verifier/graft/score.h"
#include "verifier/train/trainer.h"

namespace espalier {

// What identifies a call: two calls with equal fingerprints compute the same thing.
class Fingerprint {
 public:
  void Add(std::string_view bytes);
  void Add(double value);
  void Add(const std::vector<double>& values);
  void Add(const ir::Network& network);
  void Add(const Dataset& data);
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325ull;
};

// One network that was grafted and measured.
struct GraftCandidate {
  double ratio = 0;
  api::Measurement measurement;
  std::vector<double> unstable;  // per activation, mean over the scored samples
  std::string onnx;              // empty: only a point of the curve
};

struct CheckpointState {
  uint64_t fingerprint = 0;
  train::TrainState training;  // of the epochs under way; epochs_done == 0: none
  // Grafting only.
  std::optional<graft::Scores> scores;
  std::optional<api::Measurement> base;
  std::vector<GraftCandidate> finished;
  double seconds = 0;  // spent so far
};

absl::StatusOr<std::string> WriteCheckpoint(const CheckpointState& state);

// INVALID_ARGUMENT: no checkpoint, or that of a call with another fingerprint.
absl::StatusOr<CheckpointState> ReadCheckpoint(std::string_view bytes, uint64_t fingerprint);

}  // namespace espalier
