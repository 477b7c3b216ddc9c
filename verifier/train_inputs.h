// What Train, Graft and Compare have in common: their networks, their data, and how they report.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "verifier/api/training.h"
#include "verifier/backend/backend.h"
#include "verifier/formats/onnx_writer.h"
#include "verifier/ir/network.h"
#include "verifier/train_checkpoint.h"
#include "verifier/training_memory.h"
#include "verifier/verifier.h"

namespace espalier {

// A network in the form that training works on, and how its file is to be written.
struct TrainableModel {
  ir::Network network;
  formats::WriteSettings file;
};

// The model lowered for training, with the file's own names and shapes. UNIMPLEMENTED as Model::Load says.
absl::StatusOr<TrainableModel> TrainableOf(const Model& model);

// Which samples are for training and which for measuring.
struct Split {
  Samples train, evaluation;
};

// Without evaluation data the last tenth of `data` (at least one sample) is held out. INVALID_ARGUMENT when
// data are missing, too few, or do not fit the network.
absl::StatusOr<Split> SplitData(const Dataset* data, const Dataset* evaluation, const ir::Network& network);

void AddOptions(const api::TrainOptions& options, Fingerprint& fingerprint);
void AddOptions(const api::GraftOptions& options, Fingerprint& fingerprint);

// Adds the time since the call began to what is reported, and to checkpoints.
class Reporter {
 public:
  Reporter(const TrainHooks& hooks, double seconds_before);
  double seconds() const;
  void Progress(const std::string& stage, api::TrainProgress progress) const;
  void Count(const std::string& stage, int64_t done, int64_t total) const;
  // A line for people.
  void Say(const std::string& stage, std::string message) const;
  absl::Status Checkpoint(CheckpointState& state) const;

 private:
  const TrainHooks& hooks_;
  double seconds_before_;
  absl::Time start_;
};

// Where and how long a call runs, and whom it tells.
struct Execution {
  backend::Backend& backend;
  const MemoryShares& memory;
  const Reporter& reporter;
  StopToken stop;
};

struct VerifySettings {
  int64_t samples = 0;   // 0: accuracies only
  double timeout_s = 0;  // of one complete verification; 0: bounds at the root only
};

// Measures an exported model on the samples, as whoever loads the file will find it.
absl::StatusOr<api::Measurement> MeasureFile(const std::string& onnx, const Samples& samples,
                                             const api::TrainOptions& options, const VerifySettings& verify,
                                             const Execution& execution);

}  // namespace espalier
