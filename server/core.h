// What all calls of one server share: blobs, parsed models, queues and limits. Handlers are stateless over
// it. Thread-safe; outlives every call.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "espalier/v1/blob.pb.h"
#include "server/blob_store.h"
#include "server/errors.h"
#include "server/model_cache.h"
#include "server/work_queue.h"
#include "verifier/verifier.h"

namespace espalier::server {

inline constexpr int64_t kMaxMessageBytes = int64_t{4} << 20;  // of one request message
inline constexpr int64_t kMaxBlobBytes = int64_t{2} << 30;     // of one file; protobuf's own limit for ONNX
inline constexpr double kRetryDelaySeconds = 1.0;              // advised when the queue is full

struct Limits {
  int threads = 0;           // processors that one verification may use; 0: all of the machine
  int64_t memory_bytes = 0;  // of one verification; 0: the engine decides
  int64_t blob_bytes = int64_t{4} << 30;
  int concurrency = 2;  // verifications and bounds at a time
  int max_queue = 64;   // calls that may wait
};

class Core {
 public:
  explicit Core(const Limits& limits);

  // The blob that a request names or carries. NOT_FOUND, INVALID_ARGUMENT; `field` names it in errors.
  Failure Resolve(const v1::Blob& source, const char* field, BlobPtr& blob);
  // The same, parsed as an ONNX model.
  Failure ResolveModel(const v1::Blob& source, BlobPtr& blob, Model& model);
  // A blob that was found, parsed as an ONNX model.
  Failure Load(const BlobPtr& blob, const char* field, Model& model);

  // What the engine said about `model`, with every unsupported node when that is why.
  static Failure EngineFailure(const absl::Status& status, const Model& model, const char* reason,
                               const char* field);

  // Request values within the server's limits.
  api::Options Effective(api::Options options) const;
  int64_t EffectiveThreads(int64_t asked) const;

  const Limits& limits() const { return limits_; }
  BlobStore& blobs() { return blobs_; }
  WorkQueue& searches() { return searches_; }  // Verify, Bounds, Train, Graft, Compare: long
  WorkQueue& lookups() { return lookups_; }    // Describe and Evaluate: short

  // Refuses new work; what runs or waits goes on.
  void Close();

 private:
  const Limits limits_;
  BlobStore blobs_;
  ModelCache models_;
  WorkQueue searches_;
  WorkQueue lookups_;
};

}  // namespace espalier::server
