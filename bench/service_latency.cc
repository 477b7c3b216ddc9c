// How long a trivial verification takes on a warm server, and how many of them it answers in a second.
//
//   service_latency CLIENTS SECONDS [FLAG...]     flags of espalierd, such as --isolation none
//
// A real server in a process of its own, over a Unix socket; every client has its own connection and sends
// its next request when the last one is answered. The first second does not count. The first call that fails
// ends the measurement, with status 1 and what was said: once the server has gone, a client that goes on
// counts only how fast a broken channel refuses (some 50 000 times a second).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

struct Measured {
  std::mutex mutex;
  std::vector<double> ms;
  grpc::Status failure;  // the first one
};

void Ask(const std::string& address, absl::Time start, absl::Time end, Measured& measured) {
  Client client(address);
  const v1::VerifyRequest request = TinyUnsat();
  while (absl::Now() < end) {
    const bool counts = absl::Now() >= start;
    const VerifyOutcome outcome = client.Verify(request);
    std::lock_guard<std::mutex> lock(measured.mutex);
    if (!measured.failure.ok()) return;
    if (outcome.result.answer() != v1::ANSWER_UNSAT) {
      measured.failure =
          outcome.status.ok() ? grpc::Status(grpc::StatusCode::INTERNAL, "another answer") : outcome.status;
      return;
    }
    if (counts) measured.ms.push_back(absl::ToDoubleMilliseconds(outcome.elapsed));
  }
}

int Main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: service_latency CLIENTS SECONDS [FLAG...]\n");
    return 2;
  }
  const int clients = std::atoi(argv[1]);
  const absl::Duration length = absl::Seconds(std::atof(argv[2]));
  TemporaryDirectory directory;
  std::vector<std::string> flags = {"--listen", "unix:" + directory.Path("socket"), "--max-queue", "1000"};
  flags.insert(flags.end(), argv + 3, argv + argc);
  ServerProcess server(flags);
  const absl::Time start = absl::Now() + absl::Seconds(1);
  Measured measured;
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i)
    threads.emplace_back([&] { Ask(server.address(), start, start + length, measured); });
  for (std::thread& thread : threads) thread.join();
  std::sort(measured.ms.begin(), measured.ms.end());
  if (!measured.failure.ok()) {
    std::fprintf(stderr, "a call failed after %zu answers: code %d, %s\n", measured.ms.size(),
                 static_cast<int>(measured.failure.error_code()), measured.failure.error_message().c_str());
    return 1;
  }
  if (measured.ms.empty()) return 1;
  const auto part = [&](double share) {
    return measured.ms[static_cast<size_t>(share * static_cast<double>(measured.ms.size() - 1))];
  };
  std::printf("clients %d  answers %zu  failed 0  per second %.0f  ms: p50 %.2f  p99 %.2f  most %.2f\n",
              clients, measured.ms.size(),
              static_cast<double>(measured.ms.size()) / absl::ToDoubleSeconds(length), part(0.5), part(0.99),
              part(1));
  return 0;
}

}  // namespace
}  // namespace espalier::service_test

int main(int argc, char** argv) {
  return espalier::service_test::Main(argc, argv);
}
