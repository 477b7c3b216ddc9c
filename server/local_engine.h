// The engine in this process: of a private server, and of a worker process.
#pragma once

#include <memory>

#include "server/engine.h"

namespace espalier::server {

class Core;

class LocalEngine final : public Engine {
 public:
  // `core` outlives it.
  explicit LocalEngine(Core& core) : core_(core) {}

  Failure Verify(const v1::VerifyRequest& request, const Continuation& continuation, VerifyListener& listener,
                 StopToken stop, v1::VerifyResult& result) override;
  Failure Bounds(const v1::BoundsRequest& request, StopToken stop, v1::BoundsResponse& response) override;
  Failure Describe(const v1::DescribeModelRequest& request, StopToken stop,
                   v1::DescribeModelResponse& response) override;
  Failure Evaluate(const v1::EvaluateRequest& request, StopToken stop,
                   v1::EvaluateResponse& response) override;
  Failure Train(std::unique_ptr<TrainingJob> job, TrainListener& listener, StopToken stop,
                TrainOutcome& outcome) override;

 private:
  Core& core_;
};

}  // namespace espalier::server
