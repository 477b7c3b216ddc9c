#include "server/http/operator_pages.h"

#include <gtest/gtest.h>

#include "server/security/gate.h"

namespace espalier::server {
namespace {

bool Has(const std::string& text, const std::string& line) {
  return text.find(line + "\n") != std::string::npos;
}

TEST(OperatorPages, HistogramsAreCumulativeAndEndInAllCalls) {
  Core core(Limits{});
  core.counters().CountCall("Verify", absl::StatusCode::kOk, absl::Milliseconds(1));
  core.counters().CountCall("Verify", absl::StatusCode::kOk, absl::Milliseconds(30));
  core.counters().CountCall("Verify", absl::StatusCode::kCancelled, absl::Seconds(1000));
  const std::string text = MetricsText(core);
  EXPECT_TRUE(Has(text, R"(espalier_calls_total{method="Verify",code="OK"} 2)")) << text;
  EXPECT_TRUE(Has(text, R"(espalier_calls_total{method="Verify",code="CANCELLED"} 1)")) << text;
  EXPECT_TRUE(Has(text, R"(espalier_call_duration_seconds_bucket{method="Verify",le="0.001"} 1)")) << text;
  EXPECT_TRUE(Has(text, R"(espalier_call_duration_seconds_bucket{method="Verify",le="0.05"} 2)")) << text;
  EXPECT_TRUE(Has(text, R"(espalier_call_duration_seconds_bucket{method="Verify",le="300"} 2)")) << text;
  EXPECT_TRUE(Has(text, R"(espalier_call_duration_seconds_bucket{method="Verify",le="+Inf"} 3)")) << text;
}

TEST(OperatorPages, HangUpsAreCounted) {
  Core core(Limits{});
  core.counters().CountHangUps(2);
  core.counters().CountHangUps(1);
  EXPECT_TRUE(Has(MetricsText(core), "espalier_connections_hung_up_total 3"));
}

TEST(OperatorPages, ReadinessIsWhatTheServerSays) {
  Core core(Limits{});
  const auto pages = OperatorPages(core);
  EXPECT_EQ(pages.at("/readyz")({}).status, 200);
  core.readiness().Ask([] { return "device failed: cuda:0"; });
  EXPECT_EQ(pages.at("/readyz")({}).status, 503);
  EXPECT_EQ(pages.at("/readyz")({}).body, "device failed: cuda:0\n");
  EXPECT_EQ(pages.at("/healthz")({}).status, 200);
  EXPECT_TRUE(Has(pages.at("/metrics")({}).body, "espalier_ready 0"));
}

TEST(Gate, KnowsATraceparent) {
  EXPECT_TRUE(IsTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  for (const char* text : {"", "00", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", "00-a-b-01"})
    EXPECT_FALSE(IsTraceparent(text)) << text;
}

}  // namespace
}  // namespace espalier::server
