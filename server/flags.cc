#include "server/flags.h"

#include <CLI/CLI.hpp>

#include "verifier/verifier.h"

namespace espalier::server {

namespace {

void AddLimits(CLI::App& app, Limits& limits) {
  app.add_option("--threads", limits.threads, "processors that one verification may use; 0: all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--memory", limits.memory_bytes,
                 "bytes that one verification may use; 0: an even share of --memory-total")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--memory-total", limits.memory_total,
                 "bytes that all verifications together may use; 0: nine tenths of what is free at the start")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--concurrency", limits.concurrency, "verifications at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--max-queue", limits.max_queue, "calls that may wait; more are refused")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--max-queue-per-client", limits.max_queue_client,
                 "calls of one client (address) that may wait; 0: as many as --max-queue")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--max-jobs", limits.max_jobs, "jobs that may wait; more are refused")
      ->check(CLI::Range(0, 10'000'000))
      ->capture_default_str();
  app.add_option("--max-jobs-per-client", limits.max_jobs_client,
                 "jobs of one client (address) that may wait or run; 0: as many as --max-jobs")
      ->check(CLI::Range(0, 10'000'000))
      ->capture_default_str();
  app.add_option("--blob-quota", limits.blob_bytes, "bytes of uploaded files that are kept")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

}  // namespace

std::optional<int> ParseFlags(int argc, char** argv, Flags& flags) {
  CLI::App app("espalierd: the Espalier neural-network verification service (gRPC, package espalier.v1)");
  app.set_version_flag("--version", "espalierd " + std::string(Version()));
  app.add_option("--listen", flags.listen, "unix:/PATH or HOST:PORT; port 0: any free one. Loopback only")
      ->capture_default_str();
  app.add_flag("--insecure-listen-anywhere", flags.listen_anywhere,
               "allow other than loopback addresses; there is no encryption and no authentication");
  app.add_option("--data-dir", flags.data_dir,
                 "folder for jobs, results and uploaded files, which then survive the server; without it "
                 "there are no jobs");
  AddLimits(app, flags.limits);
  std::string isolation = "process";
  app.add_option(
         "--isolation", isolation,
         "process: verify in worker processes, so that a crash fails one call; none: in the server itself")
      ->check(CLI::IsMember({"process", "none"}))
      ->capture_default_str();
  app.add_option("--drain", flags.drain_s, "seconds that running calls get to finish after SIGTERM")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warn, error or off")->capture_default_str();
  app.add_option("--parent-fd", flags.parent_fd,
                 "serve only the connection on this inherited socket, and end when its other end closes");
  app.add_flag("--worker", flags.worker)->group("");  // the server starts these itself
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  flags.isolate = isolation == "process";
  return std::nullopt;
}

}  // namespace espalier::server
