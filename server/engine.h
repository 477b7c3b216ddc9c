// Where the bytes of clients are parsed and searched: in this process (LocalEngine), or in worker processes
// (RemoteEngine).
//
//   v1::VerifyResult result;
//   Failure failure = core.engine().Verify(request, {}, listener, stop, result);
//
// Requests name their files by digest, or carry them; the caller keeps what they name in the blob store.
// Thread-safe: calls from several threads run side by side.
#pragma once

#include <memory>
#include <string>

#include "espalier/v1/bounds.pb.h"
#include "espalier/v1/model.pb.h"
#include "espalier/v1/training.pb.h"
#include "espalier/v1/verify.pb.h"
#include "server/errors.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

// What happens while a verification runs. Called from one thread; must return quickly.
class VerifyListener {
 public:
  virtual ~VerifyListener() = default;
  virtual void OnProgress(v1::Progress progress) = 0;
  virtual void OnRefuted(const v1::DisjunctsRefuted& refuted) = 0;
  // A checkpoint, where the call asked for them. May take as long as writing it to a disk.
  virtual void OnCheckpoint(const std::string& /*bytes*/) {}
};

// What happens while a network is trained, grafted or compared. Called from one thread; must return quickly.
class TrainListener {
 public:
  virtual ~TrainListener() = default;
  virtual void OnProgress(v1::TrainProgress progress) = 0;
  virtual void OnCheckpoint(std::string bytes) = 0;
};

class TrainingJob;

// How a search is continued (verifier/api/checkpoint.h).
struct Continuation {
  std::string resume;       // an earlier run's checkpoint; empty: from the beginning
  double checkpoint_s = 0;  // between two checkpoints; 0: none are made
};

// The product of training, grafting or comparing.
struct TrainOutcome {
  std::string model;       // ONNX; empty: none
  v1::TrainEvent result;   // trained, grafted or difference
  int64_t peak_bytes = 0;  // most memory that a process of its own held; 0: there was none
};

class Engine {
 public:
  virtual ~Engine() = default;

  // The options are used as they stand. Fills everything of `result` but record and times outside the engine.
  virtual Failure Verify(const v1::VerifyRequest& request, const Continuation& continuation,
                         VerifyListener& listener, StopToken stop, v1::VerifyResult& result) = 0;
  virtual Failure Bounds(const v1::BoundsRequest& request, StopToken stop, v1::BoundsResponse& response) = 0;
  virtual Failure Describe(const v1::DescribeModelRequest& request, StopToken stop,
                           v1::DescribeModelResponse& response) = 0;
  virtual Failure Evaluate(const v1::EvaluateRequest& request, StopToken stop,
                           v1::EvaluateResponse& response) = 0;
  // Requires job->Prepare() to have been well. Takes the job, so that what it holds can be let go early.
  virtual Failure Train(std::unique_ptr<TrainingJob> job, TrainListener& listener, StopToken stop,
                        TrainOutcome& outcome) = 0;
};

}  // namespace espalier::server
