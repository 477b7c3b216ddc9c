// The engine in worker processes: what a client sends is parsed and searched outside the server, so a crash
// there, or the system killing it for want of memory, fails one call (INTERNAL, reason WORKER_DIED, the
// signal named) and nothing else. A run on a card has the card to itself, and waits for it; when the
// card fails, the call fails (reason DEVICE_LOST) and the worker, whose process can use the card no more, is
// replaced. A card that failed is examined by other workers until it works (card_doctor.h); a server all of
// whose cards have failed is not ready.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "espalier/v1/worker.pb.h"
#include "server/core.h"
#include "server/engine.h"
#include "server/worker/card_doctor.h"
#include "server/worker/card_leases.h"
#include "server/worker/worker_pool.h"

namespace espalier::server {

class RemoteEngine final : public Engine {
 public:
  // `core` outlives it. `arguments`: of the workers' command line; `idle`: how many to keep ready.
  RemoteEngine(Core& core, std::vector<std::string> arguments, int idle);
  ~RemoteEngine() override;

  Failure Verify(const v1::VerifyRequest& request, const Continuation& continuation, VerifyListener& listener,
                 StopToken stop, v1::VerifyResult& result) override;
  Failure Bounds(const v1::BoundsRequest& request, StopToken stop, v1::BoundsResponse& response) override;
  Failure Describe(const v1::DescribeModelRequest& request, StopToken stop,
                   v1::DescribeModelResponse& response) override;
  Failure Evaluate(const v1::EvaluateRequest& request, StopToken stop,
                   v1::EvaluateResponse& response) override;

  Failure Train(std::unique_ptr<TrainingJob> job, TrainListener& listener, StopToken stop,
                TrainOutcome& outcome) override;

  // How long a worker that was asked to stop, or whose time is over, has before it is killed.
  static constexpr absl::Duration kGrace = absl::Seconds(2);
  static constexpr absl::Duration kTrainingGrace =
      absl::Seconds(10);  // training looks up between batches only

 private:
  class Run;
  // Gets the worker's events; may be null.
  using Sink = std::function<void(v1::WorkerOutput&)>;
  Failure Execute(v1::WorkerRun& run, const Sink& sink, StopToken stop, v1::WorkerDone& done);
  // On a worker that has run `model` before, where there is one; `card` hears how it went.
  Failure OnWorker(v1::WorkerRun& run, const Sink& sink, const StopToken& stop, const std::string& model,
                   CardLeases::Lease* card, v1::WorkerDone& done);

  // The card that the run asks for, where it asks for one; the run then names it.
  Failure TakeCard(v1::WorkerRun& run, const StopToken& stop, std::optional<CardLeases::Lease>& lease);

  // Tries a card that failed in a process that has not used it.
  void Examine(CardLeases::Lease& card, const StopToken& stop);
  // Why the server has nothing to compute on: all its cards have failed. Empty: it has.
  std::string CardTrouble() const;

  Core& core_;
  CardLeases cards_;
  WorkerPool pool_;
  std::optional<CardDoctor> doctor_;  // where there are cards; last: it uses the others
};

}  // namespace espalier::server
