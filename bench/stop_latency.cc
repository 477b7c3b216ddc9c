// How long a verification goes on after it was told to stop, measured on a real espalierd over a Unix socket.
//
//   stop_latency [--stops N] [--most SECONDS] [--seed S] [--threads T] MODEL.onnx QUERY.vnnlib [MODEL QUERY
//   ...]
//
// The server has one search worker. For every instance, N times each:
//   cancel    the call is cancelled at a random moment, then a tiny verification is sent. It can be answered
//   only
//             by the worker that was stopped, so the time from the cancellation to that answer is an upper
//             bound of the time until the search had truly stopped and given its memory back.
//             Also: the processor time that the server used until then, which other programs on the machine
//             do not change.
//   deadline  the call gets a random time limit. Latency: from the limit to the arrival of the result event.
// Moments are spread evenly over the logarithm of 20 ms ... --most, so that early phases get their share.
// Models are loaded before (loading is timed apart: it cannot be interrupted). Calls that end by themselves
// are counted and left out.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "proto/digest.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

struct Arguments {
  int stops = 20;
  double most_s = 10;
  unsigned seed = 1;
  std::string threads = "0";
  std::vector<std::string> files;
};

struct Sample {
  double at_s = 0, latency_ms = 0, processor_ms = 0;
  std::string phase;
};

v1::Blob Upload(Client& client, const std::string& path, v1::BlobKind kind) {
  const std::string bytes = ReadFile(path);
  v1::UploadBlobHeader header;
  header.set_kind(kind);
  header.set_sha256(proto::Sha256Hex(bytes));
  header.set_size(static_cast<int64_t>(bytes.size()));
  v1::UploadBlobResponse response;
  const grpc::Status status = client.Upload(header, bytes, response, size_t{1} << 20);
  if (!status.ok()) std::fprintf(stderr, "%s: %s\n", path.c_str(), status.error_message().c_str());
  v1::Blob blob;
  blob.set_sha256(header.sha256());
  return blob;
}

double MillisecondsSince(absl::Time moment) {
  return absl::ToDoubleMilliseconds(absl::Now() - moment);
}

// Processor time of all threads of another process.
double ProcessorMilliseconds(pid_t process) {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
}

class Bench {
 public:
  explicit Bench(const Arguments& arguments)
      : arguments_(arguments),
        server_({"--listen", "unix:" + directory_.Path("socket"), "--concurrency", "1", "--threads",
                 arguments.threads}),
        client_(server_.address()),
        random_(arguments.seed) {
    if (server_.address().empty()) std::exit(1);  // it has said why
  }

  void Instance(const std::string& model, const std::string& query) {
    v1::VerifyRequest request;
    *request.mutable_model() = Upload(client_, model, v1::BLOB_KIND_ONNX_MODEL);
    *request.mutable_query() = Upload(client_, query, v1::BLOB_KIND_VNNLIB_QUERY);
    v1::DescribeModelRequest describe;
    *describe.mutable_model() = request.model();
    v1::DescribeModelResponse description;
    grpc::ClientContext context;
    const absl::Time start = absl::Now();
    const grpc::Status status = client_.stub().DescribeModel(&context, describe, &description);
    std::printf("%s %s: model loaded in %.0f ms%s\n", model.c_str(), query.c_str(), MillisecondsSince(start),
                status.ok() ? "" : status.error_message().c_str());
    client_.Verify(TinyUnsat());
    std::vector<Sample> cancels, deadlines;
    for (int i = 0; i < arguments_.stops; ++i) {
      Cancel(request, Moment(), cancels);
      Deadline(request, Moment(), deadlines);
    }
    Report("  cancel  ", cancels);
    Report("  deadline", deadlines);
    all_cancels_.insert(all_cancels_.end(), cancels.begin(), cancels.end());
    all_deadlines_.insert(all_deadlines_.end(), deadlines.begin(), deadlines.end());
  }

  void Summary() const {
    Report("all cancels  ", all_cancels_);
    Report("all deadlines", all_deadlines_);
  }

 private:
  double Moment() {
    return std::exp(
        std::uniform_real_distribution<double>(std::log(0.02), std::log(arguments_.most_s))(random_));
  }

  void Cancel(const v1::VerifyRequest& request, double after_s, std::vector<Sample>& samples) {
    grpc::ClientContext context;
    absl::Notification over;
    absl::Time cancelled;
    double used = 0;
    const auto reader = client_.stub().Verify(&context, request);
    std::thread canceller([&] {
      if (over.WaitForNotificationWithTimeout(absl::Seconds(after_s))) return;
      cancelled = absl::Now();
      used = ProcessorMilliseconds(server_.process().pid());
      context.TryCancel();
    });
    v1::VerifyEvent event;
    std::string phase = "before the first report";
    while (reader->Read(&event)) {
      if (event.has_progress()) phase = event.progress().phase();
    }
    const grpc::Status status = reader->Finish();
    over.Notify();
    canceller.join();
    if (status.error_code() != grpc::StatusCode::CANCELLED) return;  // it was over before
    client_.Verify(TinyUnsat());
    const double latency = MillisecondsSince(cancelled);
    samples.push_back({after_s, latency, ProcessorMilliseconds(server_.process().pid()) - used, phase});
  }

  void Deadline(v1::VerifyRequest request, double after_s, std::vector<Sample>& samples) {
    request.mutable_options()->set_timeout_s(after_s);
    const VerifyOutcome outcome = client_.Verify(request);
    const double latency = absl::ToDoubleMilliseconds(outcome.elapsed) - 1000 * after_s;
    if (outcome.result.limit() != v1::LIMIT_TIME) return;
    std::string phase = "before the first report";
    for (const v1::VerifyEvent& event : outcome.events) {
      if (event.has_progress()) phase = event.progress().phase();
    }
    samples.push_back({after_s, latency, 0, phase});
  }

  static void Report(const char* what, std::vector<Sample> samples) {
    if (samples.empty()) {
      std::printf("%s: no call was still running\n", what);
      return;
    }
    std::sort(samples.begin(), samples.end(),
              [](const Sample& x, const Sample& y) { return x.latency_ms < y.latency_ms; });
    const auto percentile = [&](double p) {
      return samples[static_cast<size_t>(p * static_cast<double>(samples.size() - 1))].latency_ms;
    };
    const Sample& worst = samples.back();
    std::printf("%s: %3zu stops, median %.0f ms, 90 %% %.0f ms, 99 %% %.0f ms, most %.0f ms (at %.2f s, %s)",
                what, samples.size(), percentile(0.5), percentile(0.9), percentile(0.99), worst.latency_ms,
                worst.at_s, worst.phase.c_str());
    double processor = 0;
    for (const Sample& sample : samples) processor = std::max(processor, sample.processor_ms);
    if (processor > 0) std::printf("; processor time: most %.0f ms", processor);
    std::printf("\n");
    std::fflush(stdout);
  }

  const Arguments arguments_;
  TemporaryDirectory directory_;
  ServerProcess server_;
  Client client_;
  std::mt19937 random_;
  std::vector<Sample> all_cancels_, all_deadlines_;
};

}  // namespace
}  // namespace espalier::service_test

int main(int argc, char** argv) {
  espalier::service_test::Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool option = absl::StartsWith(word, "--") && i + 1 < argc;
    if (option && word == "--stops") {
      arguments.stops = std::atoi(argv[++i]);
    } else if (option && word == "--most") {
      arguments.most_s = std::atof(argv[++i]);
    } else if (option && word == "--seed") {
      arguments.seed = static_cast<unsigned>(std::atoi(argv[++i]));
    } else if (option && word == "--threads") {
      arguments.threads = argv[++i];
    } else {
      arguments.files.push_back(word);
    }
  }
  if (arguments.files.empty() || arguments.files.size() % 2 != 0) {
    std::fprintf(
        stderr,
        "usage: stop_latency [--stops N] [--most SECONDS] [--seed S] [--threads T] MODEL QUERY ...\n");
    return 2;
  }
  espalier::service_test::Bench bench(arguments);
  for (size_t i = 0; i < arguments.files.size(); i += 2)
    bench.Instance(arguments.files[i], arguments.files[i + 1]);
  bench.Summary();
  return 0;
}
