// What all calls of one server share: blobs, parsed models, queues, limits and the engine. Handlers are
// stateless over it. Thread-safe; outlives every call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "espalier/v1/blob.pb.h"
#include "server/blob_store.h"
#include "server/counters.h"
#include "server/engine.h"
#include "server/errors.h"
#include "server/model_cache.h"
#include "server/readiness.h"
#include "server/result_cache.h"
#include "server/work_queue.h"
#include "verifier/verifier.h"

namespace espalier::server {

inline constexpr int64_t kMaxMessageBytes = int64_t{4} << 20;  // of one request message
inline constexpr int64_t kMaxBlobBytes = int64_t{2} << 30;     // of one file; protobuf's own limit for ONNX

struct Limits {
  int threads = 0;           // processors that one verification may use; 0: all of the machine
  int64_t memory_bytes = 0;  // of one verification; 0: the engine decides, or a share of memory_total
  int64_t memory_total = 0;  // of all verifications together; 0: not limited
  int64_t blob_bytes = int64_t{4} << 30;
  int concurrency = 2;       // verifications and bounds at a time
  int max_queue = 64;        // calls that may wait
  int max_queue_client = 0;  // of one client; 0: no limit of its own
  int max_jobs = 10000;      // jobs that may wait
  int max_jobs_client = 0;   // of one client; 0: no limit of its own
  double checkpoint_s = 30;  // between two checkpoints of a job's search; 0: none
  double upload_grace_s =
      30;  // that an upload has beside the time which its promised size takes at 256 KiB/s
};

class Core {
 public:
  // With uploaded blobs in memory, or in `blobs`.
  explicit Core(const Limits& limits, std::unique_ptr<BlobStore> blobs = nullptr);

  // The blob that a request names or carries. NOT_FOUND, INVALID_ARGUMENT; `field` names it in errors.
  Failure Resolve(const v1::Blob& source, const char* field, BlobPtr& blob);
  // The same without its bytes. `source` holds its digest afterwards. kInStore: it has to be among uploaded
  // blobs, like what a job needs; kWhileUsed: what the request carries need not be stored.
  enum class Keep { kWhileUsed, kInStore };
  Failure Claim(v1::Blob& source, const char* field, Keep keep, BlobPin& pin);
  // nullptr when it is not held.
  BlobPtr FindBlob(const std::string& sha256);
  // An uploaded one, and what a request carried of it; see BlobStore::Remove.
  absl::StatusOr<int64_t> RemoveBlob(const std::string& sha256);
  // What a request names or carries, parsed as an ONNX model.
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
  BlobStore& blobs() { return *blobs_; }  // uploaded ones
  const BlobStore& blobs() const { return *blobs_; }
  WorkQueue& searches() { return searches_; }  // Verify, Bounds, Train, Graft, Compare, jobs: long
  WorkQueue& lookups() { return lookups_; }    // Describe and Evaluate: short
  WorkQueue& records() { return records_; }    // reading and writing the job store: shorter
  ResultCache& results() { return results_; }
  Counters& counters() { return counters_; }
  Readiness& readiness() { return readiness_; }

  // Where requests are parsed and searched: in this process until SetEngine, which is called before the
  // server starts.
  Engine& engine() { return *engine_; }
  void SetEngine(std::unique_ptr<Engine> engine) { engine_ = std::move(engine); }

  // Refuses new work; what runs or waits goes on.
  void Close();
  // Abandons what waits, returns when nothing runs any more.
  void Stop();

 private:
  static Failure CheckSource(const v1::Blob& source, const char* field);
  static Failure NotHeld(const v1::Blob& source, const char* field);
  static Failure Put(BlobStore& store, const std::string& bytes, const char* field, BlobPtr& blob);

  const Limits limits_;
  Counters counters_;
  Readiness readiness_;
  BlobStore& carried() { return carried_ != nullptr ? *carried_ : *blobs_; }

  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<BlobStore>
      carried_;  // what requests carry, where uploaded blobs are not in memory; else null
  ModelCache models_;
  ResultCache results_;
  std::unique_ptr<Engine> engine_;
  WorkQueue searches_;
  WorkQueue lookups_;
  WorkQueue records_;
};

}  // namespace espalier::server
