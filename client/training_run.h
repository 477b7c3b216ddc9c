// One run of train or graft as the user sees it: progress, the checkpoint file beside the output, Ctrl-C, and
// what is left behind when something fails.
//
//   TrainingRun run(connection, interrupts, {.output = "net.onnx"});
//   v1::Blob checkpoint;
//   if (ExitCode code = run.Begin(checkpoint); code != kDone) return code;
//   ExitCode code = run.Follow([&](grpc::ClientContext* context) { return stub.Train(context, request); });
//   ... run.model(), run.result(), reports ...
//   run.Succeed();
//
// The checkpoint is OUTPUT.checkpoint: written whole or not at all, sent as `resume` when the command is run
// again, removed by Succeed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/commands.h"
#include "client/interrupt_watch.h"
#include "espalier/v1/training.pb.h"

namespace espalier::client {

struct TrainingRunSettings {
  std::string output;  // model file; empty: no model and no checkpoint (compare)
  bool resume = true;  // go on from the checkpoint, if there is one
  bool quiet = false;  // no progress
};

class TrainingRun {
 public:
  using Reader = std::unique_ptr<grpc::ClientReader<v1::TrainEvent>>;
  using Call = std::function<Reader(grpc::ClientContext*)>;

  TrainingRun(Connection& connection, InterruptWatch& interrupts, TrainingRunSettings settings)
      : connection_(connection), interrupts_(interrupts), settings_(std::move(settings)) {}

  // Checks that the output can be written, and sends the checkpoint of an earlier run: `blob` stays empty
  // when there is none.
  ExitCode Begin(v1::Blob& blob);

  // Reads the stream to its end. On success the model is written to the output.
  ExitCode Follow(const Call& call);

  const std::string& model() const { return model_; }       // bytes
  const v1::TrainEvent& result() const { return result_; }  // trained, grafted or difference

  // Everything was written: the checkpoint is not needed any more.
  void Succeed() const;

  // What to say about the checkpoint when the run ended early; empty when there is none.
  std::string HowToGoOn() const;

 private:
  std::string CheckpointPath() const { return settings_.output + ".checkpoint"; }
  // Takes an event; the status is that of writing a checkpoint.
  absl::Status Take(v1::TrainEvent& event);
  ExitCode Fail(const grpc::Status& status) const;

  Connection& connection_;
  InterruptWatch& interrupts_;
  const TrainingRunSettings settings_;
  bool resumed_ = false;
  std::string checkpoint_, model_;  // as far as parts came
  v1::TrainEvent result_;
};

}  // namespace espalier::client
