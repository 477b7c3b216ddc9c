#include "tests/gpu_check/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace espalier::gpu_check {
namespace {

using nlohmann::json;

json AsJson(const Measurement& m) {
  json j = {{"name", m.name}, {"rows", m.rows}, {"seconds", m.seconds}, {"share_of_limit", m.share()}};
  if (m.flops > 0) j["gflop_per_s"] = m.flops / m.seconds * 1e-9;
  if (m.flops > 0) j["cublas_gflop_per_s"] = m.flops / m.limit_seconds * 1e-9;
  if (m.bytes > 0) j["gb_per_s"] = m.bytes / m.seconds * 1e-9;
  return j;
}

json AsJson(const QueryResult& q) {
  return {{"network", q.network},
          {"query", q.query},
          {"known", q.known},
          {"card", q.card},
          {"processor", q.processor},
          {"card_seconds", q.card_seconds},
          {"processor_seconds", q.processor_seconds}};
}

template <class Item>
json List(const std::vector<Item>& items) {
  json list = json::array();
  for (const Item& item : items) list.push_back(AsJson(item));
  return list;
}

}  // namespace

bool Report::passed() const {
  return !card.empty() && errors.empty() && conformance.ran && conformance.exit_status == 0 &&
         !queries.empty() &&
         std::all_of(queries.begin(), queries.end(), [](const QueryResult& q) { return q.agrees(); });
}

std::string AsJson(const Report& report) {
  if (report.card.empty()) return json({{"card", nullptr}, {"reason", report.no_card}}).dump(2) + "\n";
  const json whole = {{"card", report.card},
                      {"passed", report.passed()},
                      {"conformance",
                       {{"ran", report.conformance.ran},
                        {"under_compute_sanitizer", report.conformance.under_sanitizer},
                        {"exit_status", report.conformance.exit_status},
                        {"how", report.conformance.description}}},
                      {"products", List(report.products)},
                      {"copy_gb_per_s", report.traffic.copy_bytes_per_second * 1e-9},
                      {"kernels", List(report.traffic.kernels)},
                      {"search", List(report.search)},
                      {"queries", List(report.queries)},
                      {"errors", report.errors}};
  return whole.dump(2) + "\n";
}

std::string AsText(const Report& report) {
  if (report.card.empty()) return absl::StrCat("no device: ", report.no_card, "\n");
  std::string text = absl::StrCat("card: ", report.card, "\nconformance: ", report.conformance.description,
                                  ", exit status ", report.conformance.exit_status, "\n\n");
  absl::StrAppendFormat(&text, "%-52s %8s %10s %10s %6s\n", "product", "rows", "GFLOP/s", "cuBLAS", "share");
  for (const Measurement& m : report.products) {
    absl::StrAppendFormat(&text, "%-52s %8d %10.0f %10.0f %6.2f\n", m.name, m.rows,
                          m.flops / m.seconds * 1e-9, m.flops / m.limit_seconds * 1e-9, m.share());
  }
  absl::StrAppendFormat(&text, "\ncopy on the card: %.0f GB/s\n%-52s %8s %10s %6s\n",
                        report.traffic.copy_bytes_per_second * 1e-9, "kernel", "rows", "GB/s", "share");
  for (const Measurement& m : report.traffic.kernels) {
    absl::StrAppendFormat(&text, "%-52s %8d %10.0f %6.2f\n", m.name, m.rows, m.bytes / m.seconds * 1e-9,
                          m.share());
  }
  absl::StrAppendFormat(&text, "\n%-52s %8s %10s %10s %6s\n", "domains of a search", "rows", "domains/s",
                        "GFLOP/s", "share");
  for (const Measurement& m : report.search) {
    absl::StrAppendFormat(&text, "%-52s %8d %10.0f %10.0f %6.2f\n", m.name, m.rows,
                          static_cast<double>(m.rows) / m.seconds, m.flops / m.seconds * 1e-9, m.share());
  }
  absl::StrAppendFormat(&text, "\n%-52s %9s %9s %9s %8s %8s\n", "query", "known", "card", "processor",
                        "card s", "proc. s");
  for (const QueryResult& q : report.queries) {
    absl::StrAppendFormat(&text, "%-52s %9s %9s %9s %8.2f %8.2f\n", absl::StrCat(q.network, " ", q.query),
                          q.known, q.card, q.processor, q.card_seconds, q.processor_seconds);
  }
  for (const std::string& error : report.errors) absl::StrAppend(&text, "error: ", error, "\n");
  absl::StrAppend(&text, report.passed() ? "\npassed\n" : "\nFAILED\n");
  return text;
}

}  // namespace espalier::gpu_check
