#include "server/result_cache.h"

#include "absl/strings/str_cat.h"

namespace espalier::server {

std::string ResultCache::KeyOf(const v1::VerifyRequest& request, const std::string& version) {
  v1::Options options = request.options();
  options.clear_timeout_s();
  // The message has neither maps nor unknown fields (every field was set from the engine's own options), so
  // equal options have equal bytes.
  return absl::StrCat(request.model().sha256(), " ", request.query().sha256(), " ", version, " ",
                      options.SerializeAsString());
}

std::optional<v1::VerifyResult> ResultCache::Find(const std::string& key) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) return std::nullopt;
  order_.splice(order_.end(), order_, found->second);
  v1::VerifyResult result;
  if (!result.ParseFromString(found->second->second)) return std::nullopt;
  return result;
}

void ResultCache::Add(const std::string& key, const v1::VerifyResult& result) {
  if (result.answer() != v1::ANSWER_SAT && result.answer() != v1::ANSWER_UNSAT) return;
  std::string bytes = result.SerializeAsString();
  if (bytes.size() > kMaxBytes / 16) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (index_.count(key) > 0) return;
  bytes_ += bytes.size();
  order_.emplace_back(key, std::move(bytes));
  index_.emplace(key, std::prev(order_.end()));
  while (order_.size() > kMaxEntries || bytes_ > kMaxBytes) {
    bytes_ -= order_.front().second.size();
    index_.erase(order_.front().first);
    order_.pop_front();
  }
}

}  // namespace espalier::server
