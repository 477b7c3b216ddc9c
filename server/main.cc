// espalierd: the verification service.
//
// Exit status: 0 ended as asked, 1 could not start, 2 wrong command line.
#include <fcntl.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_posix.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/address.h"
#include "server/core.h"
#include "server/flags.h"
#include "server/jobs/data_directory.h"
#include "server/jobs/disk_blob_store.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_store.h"
#include "server/log.h"
#include "server/parent_watch.h"
#include "server/service.h"
#include "server/worker/remote_engine.h"
#include "server/worker/worker_main.h"
#include "verifier/base/memory_info.h"

namespace espalier::server {
namespace {

constexpr const char* kServiceName = "espalier.v1.Espalier";

int Fail(const absl::Status& status, int exit_status) {
  Log(LogLevel::kError, {{"event", "start"}, {"error", std::string(status.message())}});
  return exit_status;
}

void Configure(grpc::ServerBuilder& builder, Service& service) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMaxMessageBytes));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.RegisterService(&service);
}

// Serves the one connection that the parent made. Nobody else can reach it, so it needs no health service, no
// reflection and no drain; it ends when the parent's end of the socket closes.
int ServeParent(const Flags& flags, Service& service) {
  WatchParent(flags.parent_fd);
  grpc::ServerBuilder builder;
  Configure(builder, service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return Fail(absl::InternalError("the gRPC server does not start"), 1);
  fcntl(flags.parent_fd, F_SETFL, O_NONBLOCK);
  grpc::AddInsecureChannelFromFd(server.get(), flags.parent_fd);
  server->Wait();
  return 0;
}

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Stops admitting, lets running calls and jobs finish, stops what is left after `drain`, leaves. Jobs without
// an answer are queued in the data directory.
void Drain(grpc::Server& server, Core& core, JobRunner* jobs, absl::Duration drain) {
  Log(LogLevel::kInfo, {{"event", "drain"}, {"seconds", absl::StrCat(absl::ToDoubleSeconds(drain))}});
  // A call that does not heed its cancellation must not keep the process alive.
  std::thread([drain] {
    absl::SleepFor(drain + absl::Seconds(5));
    _exit(1);
  }).detach();
  const absl::Time start = absl::Now();
  server.GetHealthCheckService()->SetServingStatus(false);
  core.Close();
  // A little earlier than the calls, so that watchers still hear how it ended.
  std::thread suspend([&] {
    if (jobs != nullptr) jobs->Suspend(start + 0.8 * drain);
  });
  server.Shutdown(absl::ToChronoTime(start + drain));
  suspend.join();
  server.Wait();
  core.Stop();
}

// Listens and serves until a signal comes.
int Listen(const Flags& flags, Core& core, JobRunner* jobs, const sigset_t& signals) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  Service service(core, jobs);
  grpc::ServerBuilder builder;
  Configure(builder, service);
  int port = 0;
  builder.AddListeningPort(flags.listen, grpc::InsecureServerCredentials(), &port);
  const mode_t mask = umask(0077);  // a Unix socket is for its owner only
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  umask(mask);
  if (server == nullptr || port == 0) {
    return Fail(absl::UnavailableError(absl::StrCat("cannot listen on '", flags.listen, "'")), 1);
  }
  server->GetHealthCheckService()->SetServingStatus(kServiceName, true);
  std::string address = flags.listen;
  if (!address.starts_with("unix:")) address = absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
  Log(LogLevel::kInfo, {{"event", "listen"}, {"address", address}, {"version", std::string(Version())}});
  std::printf("listening on %s\n", address.c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  Drain(*server, core, jobs, absl::Seconds(flags.drain_s));
  Log(LogLevel::kInfo, {{"event", "end"}});
  return 0;
}

std::vector<std::string> WorkerArguments(const Flags& flags) {
  return {"--log-level",  flags.log_level,
          "--threads",    absl::StrCat(flags.limits.threads),
          "--blob-quota", absl::StrCat(flags.limits.blob_bytes)};
}

int ServeAddress(Flags flags) {
  if (absl::Status status = CheckListenAddress(flags.listen, flags.listen_anywhere); !status.ok())
    return Fail(status, 2);
  if (absl::Status status = CheckNotServed(flags.listen); !status.ok()) return Fail(status, 1);
  const sigset_t signals = EndSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // inherited by every thread from here on
  if (flags.limits.memory_total == 0) flags.limits.memory_total = base::FreeMemoryBytes() / 10 * 9;
  std::unique_ptr<DataDirectory> directory;
  std::unique_ptr<BlobStore> blobs;
  if (!flags.data_dir.empty()) {
    absl::StatusOr<std::unique_ptr<DataDirectory>> opened = DataDirectory::Open(flags.data_dir);
    if (!opened.ok()) return Fail(opened.status(), 1);
    directory = *std::move(opened);
    absl::StatusOr<std::unique_ptr<DiskBlobStore>> store =
        DiskBlobStore::Open(directory->database(), directory->blobs(), flags.limits.blob_bytes);
    if (!store.ok()) return Fail(store.status(), 1);
    blobs = *std::move(store);
  }
  Core core(flags.limits, std::move(blobs));
  // One process more than searches run at a time, so that a short look at a model finds a warm one as well.
  if (flags.isolate)
    core.SetEngine(
        std::make_unique<RemoteEngine>(core, WorkerArguments(flags), flags.limits.concurrency + 1));
  if (directory == nullptr) return Listen(flags, core, nullptr, signals);
  JobStore store(directory->database());
  JobRunner jobs(core, store);
  const absl::Status recovered = jobs.Recover();
  const int exit_status = recovered.ok() ? Listen(flags, core, &jobs, signals) : Fail(recovered, 1);
  core.Stop();  // before what its tasks use goes
  return exit_status;
}

// OpenMP's threads spin while they wait for each other unless told otherwise, and the OpenMP library reads
// that from the environment before main. Spinning threads that have to share processors with anything else
// (other calls, a client, a desktop) hold up the thread they wait for: ten times slower and more, measured.
// So the process starts itself once more when nobody has chosen; a client that starts a private server has.
void WaitWithoutSpinning(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", argv);  // on failure everything still works, only slower
}

int Main(int argc, char** argv) {
  WaitWithoutSpinning(argv);
  Flags flags;
  if (const std::optional<int> exit_status = ParseFlags(argc, argv, flags)) return *exit_status;
  if (absl::Status status = SetLogLevel(flags.log_level); !status.ok()) return Fail(status, 2);
  if (flags.parent_fd < 0) return ServeAddress(flags);
  Core core(flags.limits);
  if (flags.worker) return ServeAsWorker(flags.parent_fd, core);
  Service service(core, nullptr);
  return ServeParent(flags, service);
}

}  // namespace
}  // namespace espalier::server

int main(int argc, char** argv) {
  return espalier::server::Main(argc, argv);
}
