#include "tests/service/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace espalier::service_test {

Process::Process(std::vector<std::string> arguments, bool capture_stderr) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return;
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    // A test that is killed leaves no server behind.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(ends[1], STDOUT_FILENO);
    if (capture_stderr) dup2(ends[1], STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  output_ = ends[0];
}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(output_);
}

void Process::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

std::string Process::ReadAll() {
  std::string text;
  while (std::optional<std::string> line = ReadLine()) absl::StrAppend(&text, *line, "\n");
  return text;
}

std::optional<std::string> Process::ReadLine() {
  std::string line;
  char byte = 0;
  while (read(output_, &byte, 1) == 1) {
    if (byte == '\n') return line;
    line.push_back(byte);
  }
  if (line.empty()) return std::nullopt;
  return line;
}

std::optional<int> Process::Wait() {
  int state = 0;
  if (!Eventually([&] { return waitpid(pid_, &state, WNOHANG) != 0; })) return std::nullopt;
  pid_ = -1;
  return WIFSIGNALED(state) ? -WTERMSIG(state) : WEXITSTATUS(state);
}

namespace {

std::vector<std::string> ServerCommand(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {ESPALIERD, "--log-level", "error"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& arguments)
    : process_(ServerCommand(arguments), false) {
  const std::string line = process_.ReadLine().value_or("");
  const std::string prefix = "listening on ";
  if (line.rfind(prefix, 0) == 0) address_ = line.substr(prefix.size());
}

Client::Client(const std::string& address)
    : channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
      stub_(v1::Espalier::NewStub(channel_)) {}

VerifyOutcome Client::Verify(const v1::VerifyRequest& request, grpc::ClientContext* context) {
  grpc::ClientContext own;
  VerifyOutcome outcome;
  const absl::Time start = absl::Now();
  const auto reader = stub_->Verify(context != nullptr ? context : &own, request);
  v1::VerifyEvent event;
  while (reader->Read(&event)) {
    if (event.has_progress()) ++outcome.progress_events;
    if (event.has_result()) outcome.result = event.result();
    outcome.events.push_back(event);
  }
  outcome.status = reader->Finish();
  outcome.elapsed = absl::Now() - start;
  return outcome;
}

grpc::Status Client::Upload(const v1::UploadBlobHeader& header, const std::string& bytes,
                            v1::UploadBlobResponse& response, size_t chunk) {
  grpc::ClientContext context;
  const auto writer = stub_->UploadBlob(&context, &response);
  v1::UploadBlobRequest request;
  *request.mutable_header() = header;
  bool open = writer->Write(request);
  for (size_t at = 0; open && at < bytes.size(); at += chunk) {
    request.set_chunk(bytes.substr(at, chunk));
    open = writer->Write(request);
  }
  writer->WritesDone();
  return writer->Finish();
}

OpenVerify::OpenVerify(Client& client, const v1::VerifyRequest& request)
    : reader_(client.stub().Verify(&context_, request)) {
  v1::VerifyEvent event;
  if (reader_->Read(&event)) accepted_ = event.accepted();
}

OpenVerify::~OpenVerify() {
  if (finished_) return;
  Cancel();
  Finish();
}

bool OpenVerify::WaitForProgress() {
  v1::VerifyEvent event;
  while (reader_->Read(&event)) {
    if (event.has_progress()) return true;
  }
  return false;
}

VerifyOutcome OpenVerify::Finish() {
  VerifyOutcome outcome;
  v1::VerifyEvent event;
  while (reader_->Read(&event)) {
    if (event.has_progress()) ++outcome.progress_events;
    if (event.has_result()) outcome.result = event.result();
    outcome.events.push_back(event);
  }
  outcome.status = reader_->Finish();
  finished_ = true;
  return outcome;
}

v1::ErrorDetail DetailOf(const grpc::Status& status) {
  v1::StatusDetails details;
  v1::ErrorDetail detail;
  if (details.ParseFromString(status.error_details()) && details.details_size() > 0) {
    details.details(0).UnpackTo(&detail);
  }
  return detail;
}

std::string ModelPath(const std::string& name) {
  return test_support::SourceFolder() / "models" / name;
}
std::string QueryPath(const std::string& name) {
  return ModelPath("properties/" + name);
}

v1::VerifyRequest Request(const std::string& model, const std::string& query_text) {
  v1::VerifyRequest request;
  request.mutable_model()->set_inline_bytes(ReadFile(ModelPath(model)));
  request.mutable_query()->set_inline_bytes(query_text);
  return request;
}

v1::VerifyRequest TinyUnsat() {
  return Request("tiny_max.onnx", ReadFile(QueryPath("tiny_max_unsat.vnnlib")));
}
v1::VerifyRequest TinySat() {
  return Request("tiny_max.onnx", ReadFile(QueryPath("tiny_max_sat.vnnlib")));
}

std::string EndlessQuery() {
  // The least output 0 that gradient descent finds in the cube is -22.9; interval bounds give -287.
  std::string text;
  for (int i = 0; i < 64; ++i) absl::StrAppend(&text, "(declare-const X_", i, " Real)\n");
  for (int i = 0; i < 10; ++i) absl::StrAppend(&text, "(declare-const Y_", i, " Real)\n");
  for (int i = 0; i < 64; ++i) {
    absl::StrAppend(&text, "(assert (>= X_", i, " 0.0))\n(assert (<= X_", i, " 1.0))\n");
  }
  return text + "(assert (<= Y_0 -24.0))\n";
}

v1::VerifyRequest Endless() {
  v1::VerifyRequest request = Request("digits.onnx", EndlessQuery());
  request.mutable_options()->set_attack(0);
  return request;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "espalier_XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace espalier::service_test
