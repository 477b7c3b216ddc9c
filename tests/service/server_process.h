// A real espalierd in a process of its own, and the calls that the service tests make of it.
//
//   ServerProcess server({"--listen", "127.0.0.1:0"});
//   Client client(server.address());
//   auto outcome = client.Verify(request);
#pragma once

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "espalier/v1/error.pb.h"
#include "espalier/v1/service.grpc.pb.h"
#include "tests/service/waiting.h"
#include "tests/support/test_files.h"

namespace espalier::service_test {

// A program started with its stdout (and stderr, if asked) read through a pipe. Killed when destroyed.
class Process {
 public:
  Process(std::vector<std::string> arguments, bool capture_stderr);
  ~Process();
  Process(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // Everything written until the pipe closes.
  std::string ReadAll();
  // One line without its end; nullopt at the end of the output.
  std::optional<std::string> ReadLine();
  // Exit status, or -signal. nullopt when it still runs after all the patience that a test has.
  std::optional<int> Wait();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

class ServerProcess {
 public:
  // Waits until it listens; address() is empty when it ended instead.
  explicit ServerProcess(const std::vector<std::string>& arguments);

  const std::string& address() const { return address_; }
  Process& process() { return process_; }

 private:
  Process process_;
  std::string address_;
};

struct VerifyOutcome {
  grpc::Status status;
  std::vector<v1::VerifyEvent> events;
  v1::VerifyResult result;
  absl::Duration elapsed;
  int progress_events = 0;
};

class Client {
 public:
  explicit Client(const std::string& address);

  v1::Espalier::Stub& stub() { return *stub_; }
  std::shared_ptr<grpc::Channel> channel() { return channel_; }
  VerifyOutcome Verify(const v1::VerifyRequest& request, grpc::ClientContext* context = nullptr);
  grpc::Status Upload(const v1::UploadBlobHeader& header, const std::string& bytes,
                      v1::UploadBlobResponse& response, size_t chunk = 1000);

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Espalier::Stub> stub_;
};

// A Verify call that is under way: the server has put it into its queue, or runs it, when the constructor
// returns.
class OpenVerify {
 public:
  OpenVerify(Client& client, const v1::VerifyRequest& request);
  // Ends the call if nobody has.
  ~OpenVerify();
  OpenVerify(const OpenVerify&) = delete;

  const v1::Accepted& accepted() const { return accepted_; }
  // Reads until the search reports progress from now on; false when the call ends without.
  bool WaitForProgress();
  void Cancel() { context_.TryCancel(); }
  // Reads to the end.
  VerifyOutcome Finish();

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::VerifyEvent>> reader_;
  v1::Accepted accepted_;
  bool finished_ = false;
};

// The detail of an error; empty when there is none.
v1::ErrorDetail DetailOf(const grpc::Status& status);

using test_support::ReadFile;
std::string ModelPath(const std::string& name);  // in models/
std::string QueryPath(const std::string& name);  // in models/properties/

// A request with small files inline.
v1::VerifyRequest Request(const std::string& model, const std::string& query_text);
v1::VerifyRequest TinyUnsat();
v1::VerifyRequest TinySat();
// Takes the search much longer than any test waits: a bound that is nearly tight over the whole input cube.
v1::VerifyRequest Endless();
std::string EndlessQuery();

// A directory of this test's own, removed at its end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace espalier::service_test
