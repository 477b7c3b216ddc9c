// Parsed models by digest, so that a warm call neither parses nor lowers again.
//
// Two requests for the same model parse it once: the second waits. Models are shared with the requests that
// use them; dropping one here never takes it from them. Thread-safe.
//
//   ModelCache cache(int64_t{4} << 30);
//   auto model = cache.Get(blob);   // INVALID_ARGUMENT for bytes that are no model; failures are not kept
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "server/blob_store.h"
#include "verifier/verifier.h"

namespace espalier::server {

class ModelCache {
 public:
  // `budget_bytes`: of memory that kept models may occupy, estimated from the sizes of their files.
  explicit ModelCache(int64_t budget_bytes) : budget_(budget_bytes) {}

  absl::StatusOr<Model> Get(const BlobPtr& blob);

 private:
  struct Entry {
    std::string sha256;
    int64_t cost = 0;
    std::mutex loading;
    std::shared_ptr<const Model> model;  // guarded by loading
  };

  std::shared_ptr<Entry> FindOrInsert(const BlobPtr& blob);
  void Forget(const std::shared_ptr<Entry>& entry);

  const int64_t budget_;
  std::mutex mutex_;
  int64_t cost_ = 0;
  std::list<std::shared_ptr<Entry>> entries_;  // least recently used first; few, so searched in order
};

}  // namespace espalier::server
