// The engine in worker processes: what a client sends is parsed and searched outside the server, so a crash
// there, or the system killing it for want of memory, fails one call (INTERNAL, reason WORKER_DIED, the
// signal named) and nothing else.
#pragma once

#include <string>
#include <vector>

#include "espalier/v1/worker.pb.h"
#include "server/core.h"
#include "server/engine.h"
#include "server/worker/worker_pool.h"

namespace espalier::server {

class RemoteEngine final : public Engine {
 public:
  // `core` outlives it. `arguments`: of the workers' command line; `idle`: how many to keep ready.
  RemoteEngine(Core& core, std::vector<std::string> arguments, int idle)
      : core_(core), pool_(std::move(arguments), idle) {}

  Failure Verify(const v1::VerifyRequest& request, VerifyListener& listener, StopToken stop,
                 v1::VerifyResult& result) override;
  Failure Bounds(const v1::BoundsRequest& request, StopToken stop, v1::BoundsResponse& response) override;
  Failure Describe(const v1::DescribeModelRequest& request, StopToken stop,
                   v1::DescribeModelResponse& response) override;
  Failure Evaluate(const v1::EvaluateRequest& request, StopToken stop,
                   v1::EvaluateResponse& response) override;

  // How long a worker that was asked to stop, or whose time is over, has before it is killed.
  static constexpr absl::Duration kGrace = absl::Seconds(2);

 private:
  class Run;
  // `listener` may be null.
  Failure Execute(v1::WorkerRun& run, VerifyListener* listener, StopToken stop, v1::WorkerDone& done);

  Core& core_;
  WorkerPool pool_;
};

}  // namespace espalier::server
