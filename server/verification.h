// One verification from its request to its result, apart from how it is queued and to whom it is told: Verify
// and jobs share it.
//
//   Verification verification;
//   Failure failure = verification.Prepare(core, request, keep);    // checks, claims the files, predicts
//   memory failure = verification.Run(core, listener, stop, arrival, result);   // on a worker of
//   core.searches()
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "espalier/v1/verify.pb.h"
#include "server/core.h"
#include "server/engine.h"
#include "server/log.h"

namespace espalier::server {

class Verification {
 public:
  // Afterwards request() names its files by digest and has every option set, within the server's limits.
  // INVALID_ARGUMENT, NOT_FOUND; RESOURCE_EXHAUSTED when it cannot fit into the server's memory even alone.
  // `keep`: see Core::Claim.
  Failure Prepare(Core& core, const v1::VerifyRequest& request, Core::Keep keep);

  const v1::VerifyRequest& request() const { return request_; }
  // Upper limit of what the run takes beside what the server itself holds; 0: not predicted.
  int64_t memory_bytes() const { return memory_bytes_; }

  // `arrival`: from when the times in the result count. `stop` carries the time limit.
  Failure Run(Core& core, VerifyListener& listener, StopToken stop, absl::Time arrival,
              v1::VerifyResult& result, const Continuation& continuation = {}) const;

  // What the log says about a result.
  static LogFields LogFieldsOf(const v1::VerifyResult& result);

 private:
  Failure PredictMemory(const Limits& limits, api::Options& options);

  v1::VerifyRequest request_;
  BlobPin model_, query_;
  int64_t memory_bytes_ = 0;
};

}  // namespace espalier::server
