#include "client/private_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "verifier/base/library_environment.h"

extern char** environ;

namespace espalier::client {
namespace {

constexpr int kServerFd = 3;  // where the server finds its end

std::string ServerProgram() {
  if (const char* named = std::getenv("ESPALIER_SERVER_BINARY"); named != nullptr && *named != '\0')
    return named;
  std::array<char, PATH_MAX> self{};
  const ssize_t length = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (length > 0) {
    std::string beside(self.data(), static_cast<size_t>(length));
    beside = beside.substr(0, beside.rfind('/') + 1) + "espalierd";
    if (access(beside.c_str(), X_OK) == 0) return beside;
  }
  return "espalierd";
}

// Both ends close when this process executes something else; the server's copy is made by dup2, which clears
// the flag.
int Spawn(const std::string& program, const std::vector<std::string>& arguments, int server_end, pid_t& pid) {
  std::vector<std::string> words = {program, "--parent-fd", absl::StrCat(kServerFd)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
                                   STDOUT_FILENO);  // our stdout carries the verdict only
  posix_spawn_file_actions_adddup2(&actions, server_end, kServerFd);
  base::SetLibraryEnvironment();
  const int error = posix_spawnp(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

absl::StatusOr<PrivateServer> PrivateServer::Start(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::UnavailableError(absl::StrCat("no socket for a private server: ", std::strerror(errno)));
  }
  // dup2 of a descriptor onto itself would keep its close-on-exec flag.
  if (ends[1] == kServerFd) {
    const int moved = fcntl(ends[1], F_DUPFD_CLOEXEC, kServerFd + 1);
    close(ends[1]);
    ends[1] = moved;
  }
  const std::string program = ServerProgram();
  pid_t pid = -1;
  const int error = Spawn(program, arguments, ends[1], pid);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return absl::UnavailableError(absl::StrCat("cannot start a private server, '", program,
                                               "': ", std::strerror(error),
                                               "; name one with --server or ESPALIER_SERVER_BINARY"));
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return PrivateServer(pid, ends[0]);
}

PrivateServer::~PrivateServer() {
  if (socket_ >= 0) close(socket_);
  if (pid_ > 0) kill(pid_, SIGKILL);  // it holds nothing that outlives this process
}

int PrivateServer::ReleaseSocket() {
  const int socket = socket_;
  socket_ = -1;
  return socket;
}

std::string PrivateServer::DescribeEnd() {
  int state = 0;
  for (int attempt = 0; attempt < 10 && pid_ > 0; ++attempt) {
    if (waitpid(pid_, &state, WNOHANG) != pid_) {
      absl::SleepFor(absl::Milliseconds(10));
      continue;
    }
    pid_ = -1;
    end_ = WIFSIGNALED(state) ? absl::StrCat("the private server was ended by signal ", WTERMSIG(state), " (",
                                             strsignal(WTERMSIG(state)), ")")
                              : absl::StrCat("the private server ended with status ", WEXITSTATUS(state));
  }
  return end_;
}

}  // namespace espalier::client
