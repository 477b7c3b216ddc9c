#include "server/listener.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/http/operator_pages.h"
#include "server/http/web_pages.h"
#include "server/service.h"
#include "server/spare_memory.h"
#include "verifier/base/status.h"
#include "verifier/verifier.h"

namespace espalier::server {
namespace {

constexpr const char* kServiceName = "espalier.v1.Espalier";

// Against clients that only want to hold the server up. Messages on their way in share kTransportBytes.
constexpr int kMaxStreams = 512;  // of one connection
constexpr CallLimits kHeldCalls{.of_one = 4 * kMaxStreams, .of_all = 16'384};
constexpr int kHandshakeMs = 10'000;
constexpr int kKeepaliveMs = 60'000, kKeepaliveTimeoutMs = 20'000;
constexpr int kIdleMs = 15 * 60'000;
constexpr size_t kTransportBytes = size_t{512} << 20;

void LimitConnections(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);  // the flood guard's source
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
  builder.SetResourceQuota(grpc::ResourceQuota("espalierd").Resize(kTransportBytes));
}

// Every connection is a file; the usual soft limit of 1024 is for programs that call select().
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int WaitForSignal(const sigset_t& signals) {
  const timespec pause{.tv_sec = 2, .tv_nsec = 0};
  while (true) {
    if (const int signal = sigtimedwait(&signals, nullptr, &pause); signal > 0) return signal;
    GiveBackSpareMemory();
  }
}

}  // namespace

int FailToStart(const absl::Status& status, int exit_status) {
  Log(LogLevel::kError, {{"event", "start"}, {"error", std::string(status.message())}});
  return exit_status;
}

void SetMessageLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMaxMessageBytes));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

sigset_t Listener::BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

absl::Status Listener::OpenHttp() {
  if (flags_.http_address.empty()) return absl::OkStatus();
  std::map<std::string, HttpServer::Page> pages = OperatorPages(core_);
  if (flags_.web && jobs_ != nullptr) pages.merge(WebPages(core_, *gate_, jobs_->store()));
  ESPALIER_ASSIGN_OR_RETURN(http_, HttpServer::Start(flags_.http_address, std::move(pages)));
  Log(LogLevel::kInfo, {{"event", "listen"}, {"http_address", http_->address()}});
  return absl::OkStatus();
}

absl::Status Listener::Open() {
  RaiseFileLimit();
  ESPALIER_ASSIGN_OR_RETURN(gate_, Gate::Open(flags_.token_file, !flags_.tls.client_authority.empty()));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  service_ = std::make_unique<Service>(core_, *gate_, jobs_);
  grpc::ServerBuilder builder;
  SetMessageLimits(builder);
  LimitConnections(builder);
  builder.RegisterService(service_.get());
  auto sink = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, MakeCredentials(flags_.tls));
  ESPALIER_ASSIGN_OR_RETURN(acceptor_, ConnectionAcceptor::Listen(flags_.listen));
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::InternalError("the gRPC server does not start");
  core_.readiness().OnChange([health = server_->GetHealthCheckService()](bool ready) {
    health->SetServingStatus(ready);  // of every service, and of those asked for by no name
    health->SetServingStatus(kServiceName, ready);
  });
  ESPALIER_RETURN_IF_ERROR(OpenHttp());
  acceptor_->Start(std::move(sink));
  if (!absl::StartsWith(flags_.listen, "unix:"))
    flood_guard_ = std::make_unique<FloodGuard>(kHeldCalls, *acceptor_, core_.counters());
  Announce();
  return absl::OkStatus();
}

void Listener::Announce() const {
  const bool known = !flags_.token_file.empty() || !flags_.tls.client_authority.empty();
  Log(LogLevel::kInfo, {{"event", "listen"},
                        {"address", acceptor_->address()},
                        {"version", std::string(Version())},
                        {"tls", flags_.tls.on() ? "yes" : "no"},
                        {"clients", known ? "known" : "anybody"}});
  if (!flags_.tls.on() && flags_.allow_insecure)
    Log(LogLevel::kWarning,
        {{"event", "insecure"}, {"what", "no TLS: what travels can be read and changed"}});
  std::printf("listening on %s\n", acceptor_->address().c_str());
  if (http_ != nullptr) std::printf("http on %s\n", http_->address().c_str());
  std::fflush(stdout);
}

void Listener::ReadTokensAgain() {
  const absl::Status read = gate_->Reload();
  if (read.ok()) {
    Log(LogLevel::kInfo, {{"event", "tokens"}, {"what", "read again"}});
  } else {
    Log(LogLevel::kError,
        {{"event", "tokens"}, {"error", std::string(read.message())}, {"what", "kept the old ones"}});
  }
}

int Listener::Run(const sigset_t& signals) {
  if (absl::Status opened = Open(); !opened.ok()) {
    core_.readiness().OnChange(nullptr);
    return FailToStart(opened, 1);
  }
  while (WaitForSignal(signals) == SIGHUP) ReadTokensAgain();
  Drain();
  Log(LogLevel::kInfo, {{"event", "end"}});
  return 0;
}

// Stops admitting, lets running calls and jobs finish, stops what is left when the time is over, leaves. Jobs
// without an answer are queued in the data directory.
void Listener::Drain() {
  const absl::Duration limit = absl::Seconds(flags_.drain_s);
  Log(LogLevel::kInfo, {{"event", "drain"}, {"seconds", absl::StrCat(flags_.drain_s)}});
  // A call that does not heed its cancellation must not keep the process alive.
  std::thread([limit] {
    absl::SleepFor(limit + absl::Seconds(15));
    _exit(1);
  }).detach();
  const absl::Time start = absl::Now();
  core_.readiness().Drain();
  core_.Close();
  // A little earlier than the calls, so that watchers still hear how it ended.
  std::thread suspend([&] {
    if (jobs_ != nullptr) jobs_->Suspend(start + 0.8 * limit);
  });
  acceptor_->Close();
  server_->Shutdown(absl::ToChronoTime(start + limit));
  suspend.join();
  server_->Wait();
  flood_guard_.reset();
  core_.readiness().OnChange(nullptr);
  core_.Stop();
}

}  // namespace espalier::server
