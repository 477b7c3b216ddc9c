#include "server/model_cache.h"

#include <algorithm>
#include <utility>

namespace espalier::server {
namespace {

// A float32 weight of the file is held as a float32 initialiser and as a double in the lowered network.
constexpr int64_t kBytesPerFileByte = 3;

}  // namespace

absl::StatusOr<Model> ModelCache::Get(const BlobPtr& blob) {
  const std::shared_ptr<Entry> entry = FindOrInsert(blob);
  std::lock_guard<std::mutex> loading(entry->loading);
  if (entry->model == nullptr) {
    absl::StatusOr<Model> model = Model::Load(blob->bytes);
    if (!model.ok()) {
      Forget(entry);
      return model.status();
    }
    entry->model = std::make_shared<const Model>(*std::move(model));
  }
  return *entry->model;
}

std::shared_ptr<ModelCache::Entry> ModelCache::FindOrInsert(const BlobPtr& blob) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& entry) { return entry->sha256 == blob->sha256; });
  if (found != entries_.end()) {
    entries_.splice(entries_.end(), entries_, found);
    return entries_.back();
  }
  auto entry = std::make_shared<Entry>();
  entry->sha256 = blob->sha256;
  entry->cost = kBytesPerFileByte * static_cast<int64_t>(blob->bytes.size());
  while (!entries_.empty() && cost_ + entry->cost > budget_) {
    cost_ -= entries_.front()->cost;
    entries_.pop_front();
  }
  cost_ += entry->cost;
  entries_.push_back(entry);
  return entry;
}

void ModelCache::Forget(const std::shared_ptr<Entry>& entry) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find(entries_.begin(), entries_.end(), entry);
  if (found == entries_.end()) return;
  cost_ -= entry->cost;
  entries_.erase(found);
}

}  // namespace espalier::server
