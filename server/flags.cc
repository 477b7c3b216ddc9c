#include "server/flags.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "verifier/verifier.h"

namespace espalier::server {

namespace {

// CLI11's own checks print the largest double there is when they refuse a number. Written so that a NaN is
// refused.
CLI::Validator NumberThat(const char* name, const char* words, bool (*fits)(double)) {
  return {[words, fits](std::string& text) {
            double number = 0;
            const bool good = absl::SimpleAtod(text, &number) && fits(number);
            return good ? std::string() : absl::StrCat("'", text, "' is not ", words);
          },
          name};
}

CLI::Validator NotNegative() {
  return NumberThat("NONNEGATIVE", "a number from 0 on", [](double number) { return number >= 0; });
}

CLI::Validator Positive() {
  return NumberThat("POSITIVE", "a number above 0", [](double number) { return number > 0; });
}

void AddLimits(CLI::App& app, Limits& limits) {
  app.add_option("--threads", limits.threads, "processors that one run may use; 0: all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--memory", limits.memory_bytes,
                 "bytes that one verification or training may work with; 0: an even share of --memory-total")
      ->check(NotNegative())
      ->capture_default_str();
  app.add_option("--memory-total", limits.memory_total,
                 "bytes that all runs together may use; 0: nine tenths of what is free at the start")
      ->check(NotNegative())
      ->capture_default_str();
  app.add_option("--concurrency", limits.concurrency, "verifications, bounds, trainings at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--max-queue", limits.max_queue, "calls that may wait; more are refused")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--max-queue-per-client", limits.max_queue_client,
                 "calls of one client that may wait; 0: as many as --max-queue")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--max-jobs", limits.max_jobs, "jobs that may wait; more are refused")
      ->check(CLI::Range(0, 10'000'000))
      ->capture_default_str();
  app.add_option("--max-jobs-per-client", limits.max_jobs_client,
                 "jobs of one client that may wait or run; 0: as many as --max-jobs")
      ->check(CLI::Range(0, 10'000'000))
      ->capture_default_str();
  app.add_option("--upload-grace", limits.upload_grace_s,
                 "seconds that an upload may take beside its size at 256 KiB/s")
      ->check(Positive())
      ->capture_default_str();
  app.add_option("--blob-quota", limits.blob_bytes, "bytes of uploaded files that are kept")
      ->check(Positive())
      ->capture_default_str();
}

void AddSecurity(CLI::App& app, Flags& flags) {
  app.add_option("--listen", flags.listen,
                 "unix:/PATH or HOST:PORT; port 0: any free one. Off loopback only with TLS")
      ->capture_default_str();
  app.add_option("--tls-cert", flags.tls.certificate,
                 "PEM file: the server's certificate chain; turns TLS on");
  app.add_option("--tls-key", flags.tls.key, "PEM file: the certificate's private key");
  app.add_option("--tls-client-ca", flags.tls.client_authority,
                 "PEM file: clients must show a certificate that one of these authorities signed");
  app.add_option("--token-file", flags.token_file,
                 "file of clients, one a line: NAME verify|admin TOKEN; read again on SIGHUP");
  app.add_flag(
      "--allow-insecure,--insecure-listen-anywhere", flags.allow_insecure,
      "listen off loopback without TLS: what travels, tokens too, can be read and changed on its way");
}

void AddOperation(CLI::App& app, Flags& flags) {
  app.add_option("--http-address", flags.http_address,
                 "HOST:PORT of /healthz, /readyz and /metrics; without it there is no HTTP port");
  app.add_flag("--web", flags.web,
               "pages on jobs for people under http://HTTP-ADDRESS/web; needs --http-address and --data-dir");
  app.add_option("--drain-timeout,--drain", flags.drain_s,
                 "seconds that running calls get to finish after SIGTERM")
      ->check(NotNegative())
      ->capture_default_str();
  app.add_option("--checkpoint-interval", flags.limits.checkpoint_s,
                 "seconds between two checkpoints of a job's search, and one when it is stopped; 0: none")
      ->check(NotNegative())
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warn, error or off")->capture_default_str();
}

// One argument for each setting that the environment makes.
std::vector<std::string> FromEnvironment(const CLI::App& app) {
  std::vector<std::string> arguments;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || (!option->get_configurable() && option->get_name() != "--config"))
      continue;
    const std::string& name = option->get_lnames().front();
    const std::string variable =
        absl::StrCat("ESPALIERD_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
    if (const char* value = std::getenv(variable.c_str()); value != nullptr && *value != '\0')
      arguments.push_back(absl::StrCat("--", name, "=", value));
  }
  return arguments;
}

// Started by the server or a client for itself: settings of a listening server are not for it.
bool IsInner(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (absl::StartsWith(argv[i], "--parent-fd") || absl::StartsWith(argv[i], "--worker")) return true;
  }
  return false;
}

void Parse(CLI::App& app, int argc, char** argv) {
  std::vector<std::string> words = {"espalierd"};
  if (!IsInner(argc, argv)) {
    app.set_config("--config", "", "file of settings, NAME=VALUE lines; names as here, without the dashes");
    app.allow_config_extras(false);
    // Before the command line, whose values win by coming last. The file fills what is left.
    for (std::string& argument : FromEnvironment(app)) words.push_back(std::move(argument));
  }
  words.insert(words.end(), argv + 1, argv + argc);
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  app.parse(static_cast<int>(pointers.size()), pointers.data());
}

}  // namespace

std::optional<int> ParseFlags(int argc, char** argv, Flags& flags) {
  CLI::App app("espalierd: the Espalier neural-network verification service (gRPC, package espalier.v1)");
  app.footer(
      "Every setting can also come from the environment (ESPALIERD_MAX_QUEUE=10) or from the --config file; "
      "the command line wins, then the environment.");
  app.option_defaults()->take_last();
  app.set_version_flag("--version", "espalierd " + std::string(Version()));
  AddSecurity(app, flags);
  AddOperation(app, flags);
  app.add_option("--data-dir", flags.data_dir,
                 "folder for jobs, results and uploaded files, which then survive the server; without it "
                 "there are no jobs");
  app.add_option("--keep-jobs", flags.keep.jobs, "jobs that have ended and are kept; 0: all")
      ->check(NotNegative())
      ->capture_default_str();
  app.add_option("--keep-jobs-for", flags.keep.seconds,
                 "seconds, or a number with m, h or d, that a job is kept after its end; 0: for ever")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, double>{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}))
      ->check(NotNegative())
      ->capture_default_str();
  AddLimits(app, flags.limits);
  std::string isolation = "process", log_format = "text";
  app.add_option(
         "--isolation", isolation,
         "process: verify in worker processes, so that a crash fails one call; none: in the server itself")
      ->check(CLI::IsMember({"process", "none"}))
      ->capture_default_str();
  app.add_option("--log-format", log_format, "text, or json: one object a line")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--parent-fd", flags.parent_fd,
                 "serve only the connection on this inherited socket, and end when its other end closes")
      ->configurable(false);
  // The server starts workers itself; clients with a large model have their private server prepare.
  app.add_flag("--worker", flags.worker)->group("")->configurable(false);
  app.add_flag("--prepare", flags.prepare)->group("")->configurable(false);
  bool print = false;
  app.add_flag("--print-config", print, "print every setting as a --config file, and end")
      ->configurable(false);
  try {
    Parse(app, argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (print) {
    std::fputs(app.config_to_str(true, true).c_str(), stdout);
    return 0;
  }
  flags.isolate = isolation == "process";
  flags.log_format = log_format == "json" ? LogFormat::kJson : LogFormat::kText;
  return std::nullopt;
}

}  // namespace espalier::server
