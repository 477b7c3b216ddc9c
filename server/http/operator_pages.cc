#include "server/http/operator_pages.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "server/worker/process_memory.h"
#include "verifier/verifier.h"

namespace espalier::server {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

// The families of one page, in order.
class Families {
 public:
  void Add(const char* name, const char* help, prometheus::MetricType type) {
    prometheus::MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
  }
  // These belong to the family that was added last.
  void Counter(double value, Labels labels = {}) { Metric(std::move(labels)).counter.value = value; }
  void Gauge(double value, Labels labels = {}) { Metric(std::move(labels)).gauge.value = value; }
  void Histogram(const Counters::Durations& durations, Labels labels) {
    prometheus::ClientMetric::Histogram& histogram = Metric(std::move(labels)).histogram;
    histogram.sample_count = static_cast<uint64_t>(durations.calls);
    histogram.sample_sum = durations.seconds;
    uint64_t sum = 0;
    for (size_t i = 0; i < durations.buckets.size(); ++i) {
      sum += static_cast<uint64_t>(durations.buckets[i]);
      const bool last = i == Counters::kBucketEnds.size();
      histogram.bucket.push_back(
          {sum, last ? std::numeric_limits<double>::infinity() : Counters::kBucketEnds[i]});
    }
  }
  // A family with one metric.
  void OneCounter(const char* name, const char* help, double value) {
    Add(name, help, prometheus::MetricType::Counter);
    Counter(value);
  }
  void OneGauge(const char* name, const char* help, double value) {
    Add(name, help, prometheus::MetricType::Gauge);
    Gauge(value);
  }
  std::string Text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  prometheus::ClientMetric& Metric(Labels labels) {
    prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    return metric;
  }
  std::vector<prometheus::MetricFamily> families_;
};

void AddCalls(const Counters::Snapshot& counted, Families& page) {
  page.Add("espalier_calls_total", "Calls that ended, by method and gRPC code.",
           prometheus::MetricType::Counter);
  for (const auto& [key, count] : counted.calls)
    page.Counter(static_cast<double>(count), {{"method", key.first}, {"code", key.second}});
  page.Add("espalier_call_duration_seconds", "From a call's arrival to its end.",
           prometheus::MetricType::Histogram);
  for (const auto& [method, durations] : counted.durations) page.Histogram(durations, {{"method", method}});
  page.Add("espalier_answers_total", "Verifications that ended with an answer, jobs among them.",
           prometheus::MetricType::Counter);
  for (const auto& [answer, count] : counted.answers)
    page.Counter(static_cast<double>(count), {{"answer", answer}});
  page.Add("espalier_jobs_ended_total", "Jobs that ended.", prometheus::MetricType::Counter);
  for (const auto& [end, count] : counted.jobs) page.Counter(static_cast<double>(count), {{"end", end}});
  page.OneCounter("espalier_uploaded_bytes_total", "Bytes of files that were uploaded and kept.",
                  static_cast<double>(counted.uploaded_bytes));
  page.OneCounter("espalier_workers_died_total", "Worker processes that ended while they worked.",
                  static_cast<double>(counted.workers_died));
  page.OneCounter("espalier_connections_hung_up_total",
                  "Connections that made the server hold too many calls and were hung up on.",
                  static_cast<double>(counted.hang_ups));
}

double OpenFiles() {
  std::error_code error;
  double count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error))
    ++count;
  return count;
}

}  // namespace

std::string MetricsText(Core& core) {
  Families page;
  page.Add("espalier_build_info", "Always 1.", prometheus::MetricType::Gauge);
  page.Gauge(1, {{"version", std::string(Version())}});
  page.OneGauge("espalier_ready", "1 when the server wants new work.", core.readiness().ready() ? 1 : 0);
  AddCalls(core.counters().Read(), page);
  const WorkQueue::Load load = core.searches().load();
  page.OneGauge("espalier_queue_waiting", "Calls and jobs that wait.", static_cast<double>(load.waiting));
  page.OneGauge("espalier_queue_running", "Calls and jobs that run.", static_cast<double>(load.running));
  page.OneGauge("espalier_memory_reserved_bytes", "Memory that running verifications were admitted with.",
                static_cast<double>(load.memory_bytes));
  page.OneGauge("espalier_blob_bytes", "Bytes of uploaded files that are kept.",
                static_cast<double>(core.blobs().bytes_held()));
  page.OneGauge("process_resident_memory_bytes", "Of the server itself, without its workers.",
                static_cast<double>(ReadProcessMemory().resident_bytes));
  page.OneGauge("process_open_fds", "Open file descriptors.", OpenFiles());
  return page.Text();
}

std::map<std::string, HttpServer::Page> OperatorPages(Core& core) {
  return {
      {"/healthz", [](const HttpRequest&) { return HttpAnswer{.body = "ok\n"}; }},
      {"/readyz",
       [&core](const HttpRequest&) {
         const std::string why_not = core.readiness().why_not();
         if (why_not.empty()) return HttpAnswer{.body = "ready\n"};
         return HttpAnswer{.status = 503, .body = why_not + "\n"};
       }},
      {"/metrics",
       [&core](const HttpRequest&) {
         return HttpAnswer{.type = "text/plain; version=0.0.4; charset=utf-8", .body = MetricsText(core)};
       }},
  };
}

}  // namespace espalier::server
