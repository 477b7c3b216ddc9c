// Start, end, restart, health and reflection of espalierd.
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "absl/time/clock.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

std::string Text(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (buffer.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices)
      text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

// Sends one message to a method whose messages have no package here, and returns the first answer.
std::string Ask(const Client& /*keeps the channel*/, const std::shared_ptr<grpc::Channel>& channel,
                const std::string& method, const std::string& message) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto call = stub.PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  if (!next()) return "no call";
  call->Write(Bytes(message), nullptr);
  if (!next()) return "no write";
  call->WritesDone(nullptr);
  next();
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  return next() ? Text(answer) : "no answer";
}

TEST(Lifecycle, HealthAndReflectionAnswer) {
  ServerProcess server({"--listen", "127.0.0.1:0"});
  Client client(server.address());
  const std::string serving = "\x08\x01";  // status: SERVING
  EXPECT_EQ(Ask(client, client.channel(), "/grpc.health.v1.Health/Check", ""), serving);
  EXPECT_EQ(Ask(client, client.channel(), "/grpc.health.v1.Health/Check",
                "\x0a\x14"
                "espalier.v1.Espalier"),
            serving);
  const std::string list_services("\x3a\x00", 2);
  const std::string services =
      Ask(client, client.channel(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
          list_services);
  EXPECT_NE(services.find("espalier.v1.Espalier"), std::string::npos);
}

TEST(Lifecycle, CapabilitiesListOperatorsAndOptions) {
  ServerProcess server({"--listen", "127.0.0.1:0", "--threads", "3"});
  Client client(server.address());
  grpc::ClientContext context;
  v1::GetCapabilitiesResponse response;
  ASSERT_TRUE(client.stub().GetCapabilities(&context, {}, &response).ok());
  EXPECT_NE(std::find(response.operators().begin(), response.operators().end(), "Gemm"),
            response.operators().end());
  EXPECT_EQ(response.options_size(), v1::Options::descriptor()->field_count());
  EXPECT_EQ(response.threads(), 3);
}

TEST(Lifecycle, RefusesAddressesThatOthersReach) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "example.org:1", "192.168.1.1:0"}) {
    ServerProcess server({"--listen", address});
    EXPECT_EQ(server.address(), "") << address;
    EXPECT_EQ(server.process().Wait(), 2) << address;
  }
  ServerProcess server({"--listen", "0.0.0.0:0", "--insecure-listen-anywhere"});
  EXPECT_NE(server.address(), "");
}

TEST(Lifecycle, ASecondServerDoesNotTakeTheAddressOfTheFirst) {
  TemporaryDirectory directory;
  for (const std::string& listen : {"unix:" + directory.Path("socket"), std::string("127.0.0.1:0")}) {
    ServerProcess first({"--listen", listen});
    ASSERT_NE(first.address(), "");
    ServerProcess second({"--listen", first.address()});
    EXPECT_EQ(second.address(), "");
    EXPECT_EQ(second.process().Wait(), 1);
    EXPECT_EQ(Client(first.address()).Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
  }
}

TEST(Lifecycle, SocketIsForItsOwnerOnly) {
  TemporaryDirectory directory;
  ServerProcess server({"--listen", "unix:" + directory.Path("socket")});
  struct stat info {};
  ASSERT_EQ(stat(directory.Path("socket").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0077U, 0U);
}

TEST(Lifecycle, RestartAfterKillServesTheSameChannelAgain) {
  TemporaryDirectory directory;
  const std::string listen = "unix:" + directory.Path("socket");
  auto server = std::make_unique<ServerProcess>(std::vector<std::string>{"--listen", listen});
  Client client(listen);
  const VerifyOutcome before = client.Verify(TinySat());
  ASSERT_EQ(before.result.answer(), v1::ANSWER_SAT);
  server->process().Signal(SIGKILL);
  ASSERT_EQ(server->process().Wait(), -SIGKILL);
  server = std::make_unique<ServerProcess>(std::vector<std::string>{"--listen", listen});
  ASSERT_NE(server->address(), "");
  // The channel learns that its old connection is gone from the first write to it, which may fail the call
  // that made it.
  VerifyOutcome after;
  Eventually([&] {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    after = client.Verify(TinySat(), &context);
    return after.status.error_code() != grpc::StatusCode::UNAVAILABLE;
  });
  EXPECT_TRUE(after.status.ok()) << after.status.error_message();
  EXPECT_EQ(after.result.answer(), v1::ANSWER_SAT);
}

TEST(Lifecycle, TermLetsRunningCallsFinish) {
  ServerProcess server({"--listen", "127.0.0.1:0", "--drain", "100"});
  Client client(server.address());
  v1::VerifyRequest request = Endless();
  request.mutable_options()->set_timeout_s(2);
  OpenVerify running(client, request);
  server.process().Signal(SIGTERM);
  const VerifyOutcome outcome = running.Finish();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.result.limit(), v1::LIMIT_TIME);
  EXPECT_EQ(server.process().Wait(), 0);
}

TEST(Lifecycle, TermRefusesNewCallsWhileOthersRun) {
  ServerProcess server({"--listen", "127.0.0.1:0", "--drain", "100"});
  Client client(server.address());
  OpenVerify running(client, Endless());
  server.process().Signal(SIGTERM);
  grpc::Status refused;
  EXPECT_TRUE(Eventually([&] {
    refused = Client(server.address()).Verify(TinySat()).status;
    return !refused.ok();
  }));
  // gRPC itself cancels a call that arrives in the very moment in which the server closes.
  EXPECT_TRUE(refused.error_code() == grpc::StatusCode::UNAVAILABLE ||
              refused.error_code() == grpc::StatusCode::CANCELLED)
      << refused.error_message();
  EXPECT_TRUE(running.WaitForProgress()) << "what ran before goes on";
  running.Cancel();
  EXPECT_EQ(running.Finish().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(server.process().Wait(), 0);
}

TEST(Lifecycle, TermCancelsWhatOutlastsTheDrain) {
  ServerProcess server({"--listen", "127.0.0.1:0", "--drain", "0.2"});
  Client client(server.address());
  OpenVerify running(client, Endless());
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(), 0);
  EXPECT_FALSE(running.Finish().status.ok());
}

}  // namespace
}  // namespace espalier::service_test
