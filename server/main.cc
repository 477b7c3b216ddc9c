// espalierd: the verification service.
//
// Exit status: 0 ended as asked, 1 could not start, 2 wrong command line or settings.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/address.h"
#include "server/core.h"
#include "server/flags.h"
#include "server/jobs/checkpoint_store.h"
#include "server/jobs/data_directory.h"
#include "server/jobs/disk_blob_store.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_store.h"
#include "server/jobs/retention.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/parent_watch.h"
#include "server/service.h"
#include "server/worker/remote_engine.h"
#include "server/worker/worker_main.h"
#include "verifier/base/library_environment.h"
#include "verifier/base/memory_info.h"
#include "verifier/verifier.h"

namespace espalier::server {
namespace {

// Serves the one connection that the parent made. Nobody else can reach it, so it needs no tokens, no health
// service, no reflection and no drain; it ends when the parent's end of the socket closes.
int ServeParent(const Flags& flags, Core& core) {
  const absl::StatusOr<std::unique_ptr<Gate>> gate = Gate::Open("", false);
  if (!gate.ok()) return FailToStart(gate.status(), 1);
  Service service(core, **gate, nullptr);
  WatchParent(flags.parent_fd);
  grpc::ServerBuilder builder;
  SetMessageLimits(builder);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return FailToStart(absl::InternalError("the gRPC server does not start"), 1);
  fcntl(flags.parent_fd, F_SETFL, O_NONBLOCK);
  grpc::AddInsecureChannelFromFd(server.get(), flags.parent_fd);
  server->Wait();
  return 0;
}

std::vector<std::string> WorkerArguments(const Flags& flags) {
  return {"--log-level",  flags.log_level,
          "--log-format", flags.log_format == LogFormat::kJson ? "json" : "text",
          "--threads",    absl::StrCat(flags.limits.threads),
          "--blob-quota", absl::StrCat(flags.limits.blob_bytes),
          "--prepare"};
}

// The web page shows what clients verify, and asks for their tokens, over a port that has no TLS.
absl::Status CheckWeb(const Flags& flags) {
  if (!flags.web) return absl::OkStatus();
  if (flags.http_address.empty() || flags.data_dir.empty())
    return absl::InvalidArgumentError(
        "--web: needs --http-address to be shown on, and --data-dir for the jobs");
  if (!CheckListenAddress(flags.http_address, flags.allow_insecure).ok()) {
    return absl::InvalidArgumentError(
        "--web: the HTTP port has no TLS, so that --http-address has to be on loopback (put a proxy with TLS "
        "in "
        "front, or an SSH tunnel), or give --allow-insecure");
  }
  return absl::OkStatus();
}

int ServeAddress(Flags flags) {
  if (absl::Status status = CheckTls(flags.tls); !status.ok()) return FailToStart(status, 2);
  if (absl::Status status = CheckWeb(flags); !status.ok()) return FailToStart(status, 2);
  if (absl::Status status = CheckListenAddress(flags.listen, flags.tls.on() || flags.allow_insecure);
      !status.ok())
    return FailToStart(status, 2);
  if (absl::Status status = CheckNotServed(flags.listen); !status.ok()) return FailToStart(status, 1);
  const sigset_t signals = Listener::BlockSignals();
  if (flags.limits.memory_total == 0) flags.limits.memory_total = base::FreeMemoryBytes() / 10 * 9;
  std::unique_ptr<DataDirectory> directory;
  std::unique_ptr<BlobStore> blobs;
  if (!flags.data_dir.empty()) {
    absl::StatusOr<std::unique_ptr<DataDirectory>> opened = DataDirectory::Open(flags.data_dir);
    if (!opened.ok()) return FailToStart(opened.status(), 1);
    directory = *std::move(opened);
    absl::StatusOr<std::unique_ptr<DiskBlobStore>> store =
        DiskBlobStore::Open(directory->database(), directory->blobs(), flags.limits.blob_bytes);
    if (!store.ok()) return FailToStart(store.status(), 1);
    blobs = *std::move(store);
  }
  Core core(flags.limits, std::move(blobs));
  // One process more than searches run at a time, so that a short look at a model finds a warm one as well.
  if (flags.isolate)
    core.SetEngine(
        std::make_unique<RemoteEngine>(core, WorkerArguments(flags), flags.limits.concurrency + 1));
  if (directory == nullptr) return Listener(flags, core, nullptr).Run(signals);
  JobStore store(directory->database());
  CheckpointStore checkpoints(directory->checkpoints());
  JobRunner jobs(core, store, checkpoints);
  const absl::Status recovered = jobs.Recover();
  const Retention retention(directory->database(), flags.keep);
  const int exit_status =
      recovered.ok() ? Listener(flags, core, &jobs).Run(signals) : FailToStart(recovered, 1);
  core.Stop();  // before what its tasks use goes
  return exit_status;
}

int Main(int argc, char** argv) {
  base::StartInLibraryEnvironment(argv);
  Flags flags;
  if (const std::optional<int> exit_status = ParseFlags(argc, argv, flags)) return *exit_status;
  if (absl::Status status = SetLog(flags.log_level, flags.log_format); !status.ok())
    return FailToStart(status, 2);
  if (flags.parent_fd < 0) return ServeAddress(flags);
  std::jthread preparation;  // beside the start: one processor alone would only be kept from it
  if (flags.prepare && std::thread::hardware_concurrency() > 1) preparation = std::jthread(PrepareLibraries);
  Core core(flags.limits);
  if (flags.worker) return ServeAsWorker(flags.parent_fd, core);
  return ServeParent(flags, core);
}

}  // namespace
}  // namespace espalier::server

int main(int argc, char** argv) {
  return espalier::server::Main(argc, argv);
}
