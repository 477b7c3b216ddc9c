// Decided verdicts (sat, unsat) of this server by what they depend on, for requests that allow it. In memory,
// bounded in number and bytes; the least recently used leave first. Thread-safe.
//
//   const std::string key = ResultCache::KeyOf(request, version);
//   if (auto result = cache.Find(key)) ...
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "espalier/v1/verify.pb.h"

namespace espalier::server {

class ResultCache {
 public:
  // Requires the request's files by digest and every option set. The time limit is left out: an answer found
  // within one holds within any other.
  static std::string KeyOf(const v1::VerifyRequest& request, const std::string& version);

  std::optional<v1::VerifyResult> Find(const std::string& key);
  // Ignores what is not decided, and what is too large.
  void Add(const std::string& key, const v1::VerifyResult& result);

  static constexpr size_t kMaxEntries = 10000;
  static constexpr size_t kMaxBytes = size_t{64} << 20;  // of all entries, serialised

 private:
  using Entry = std::pair<std::string, std::string>;  // key, serialised result

  std::mutex mutex_;
  size_t bytes_ = 0;
  std::list<Entry> order_;  // least recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> index_;
};

}  // namespace espalier::server
