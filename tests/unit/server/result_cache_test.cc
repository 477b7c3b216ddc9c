#include "server/result_cache.h"

#include <gtest/gtest.h>

namespace espalier::server {
namespace {

v1::VerifyRequest Request(const std::string& model, const std::string& query) {
  v1::VerifyRequest request;
  request.mutable_model()->set_sha256(model);
  request.mutable_query()->set_sha256(query);
  request.mutable_options()->set_seed(1);
  request.mutable_options()->set_timeout_s(10);
  return request;
}

v1::VerifyResult Result(v1::Answer answer) {
  v1::VerifyResult result;
  result.set_answer(answer);
  return result;
}

TEST(ResultCache, KeepsDecidedResultsOnly) {
  ResultCache cache;
  cache.Add("sat", Result(v1::ANSWER_SAT));
  cache.Add("unsat", Result(v1::ANSWER_UNSAT));
  cache.Add("unknown", Result(v1::ANSWER_UNKNOWN));
  EXPECT_EQ(cache.Find("sat")->answer(), v1::ANSWER_SAT);
  EXPECT_EQ(cache.Find("unsat")->answer(), v1::ANSWER_UNSAT);
  EXPECT_FALSE(cache.Find("unknown").has_value());
  EXPECT_FALSE(cache.Find("other").has_value());
}

TEST(ResultCache, TheKeyTellsApartWhatChangesTheAnswer) {
  const std::string key = ResultCache::KeyOf(Request("m", "q"), "1");
  EXPECT_NE(key, ResultCache::KeyOf(Request("n", "q"), "1"));
  EXPECT_NE(key, ResultCache::KeyOf(Request("m", "r"), "1"));
  EXPECT_NE(key, ResultCache::KeyOf(Request("m", "q"), "2"));
  v1::VerifyRequest other = Request("m", "q");
  other.mutable_options()->set_seed(2);
  EXPECT_NE(key, ResultCache::KeyOf(other, "1"));
  other = Request("m", "q");
  other.mutable_options()->set_timeout_s(99);
  EXPECT_EQ(key, ResultCache::KeyOf(other, "1"));
}

TEST(ResultCache, TheLeastRecentlyUsedLeaveFirst) {
  ResultCache cache;
  cache.Add("first", Result(v1::ANSWER_SAT));
  cache.Add("second", Result(v1::ANSWER_SAT));
  for (size_t i = 2; i < ResultCache::kMaxEntries; ++i) cache.Add(std::to_string(i), Result(v1::ANSWER_SAT));
  EXPECT_TRUE(cache.Find("first").has_value());
  cache.Add("last", Result(v1::ANSWER_SAT));
  EXPECT_TRUE(cache.Find("first").has_value());
  EXPECT_FALSE(cache.Find("second").has_value());
}

}  // namespace
}  // namespace espalier::server
