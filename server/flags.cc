#include "server/flags.h"

#include <CLI/CLI.hpp>

#include "verifier/verifier.h"

namespace espalier::server {

std::optional<int> ParseFlags(int argc, char** argv, Flags& flags) {
  CLI::App app("espalierd: the Espalier neural-network verification service (gRPC, package espalier.v1)");
  app.set_version_flag("--version", "espalierd " + std::string(Version()));
  app.add_option("--listen", flags.listen, "unix:/PATH or HOST:PORT; port 0: any free one. Loopback only")
      ->capture_default_str();
  app.add_flag("--insecure-listen-anywhere", flags.listen_anywhere,
               "allow other than loopback addresses; there is no encryption and no authentication");
  app.add_option("--threads", flags.limits.threads, "processors that one verification may use; 0: all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--memory", flags.limits.memory_bytes,
                 "bytes that one verification may use; 0: three quarters of "
                 "what is free")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--concurrency", flags.limits.concurrency, "verifications at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--max-queue", flags.limits.max_queue, "calls that may wait; more are refused")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--blob-quota", flags.limits.blob_bytes, "bytes of uploaded files that are kept")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--drain", flags.drain_s, "seconds that running calls get to finish after SIGTERM")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warn, error or off")->capture_default_str();
  app.add_option("--parent-fd", flags.parent_fd,
                 "serve only the connection on this inherited socket, and end when its other end closes");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

}  // namespace espalier::server
