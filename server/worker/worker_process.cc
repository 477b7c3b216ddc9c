#include "server/worker/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

extern char** environ;

namespace espalier::server {
namespace {

constexpr int kWorkerFd = 3;  // where the worker finds its end

// The server blocks the signals that end it; a worker must not inherit that.
int Spawn(const std::vector<std::string>& arguments, int worker_end, pid_t& pid) {
  std::vector<std::string> words = {"espalierd", "--worker", "--parent-fd", absl::StrCat(kWorkerFd)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, worker_end, kWorkerFd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // A group of its own: Ctrl-C at a terminal is for the server, which then ends its workers in order.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(
    const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return absl::UnavailableError(absl::StrCat("cannot start a worker process: ", std::strerror(errno)));
  // dup2 onto itself would leave the close-on-exec flag.
  if (ends[1] == kWorkerFd) {
    const int moved = fcntl(ends[1], F_DUPFD_CLOEXEC, kWorkerFd + 1);
    close(ends[1]);
    ends[1] = moved;
  }
  pid_t pid = -1;
  const int error = Spawn(arguments, ends[1], pid);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return absl::UnavailableError(absl::StrCat("cannot start a worker process: ", std::strerror(error)));
  }
  // A worker that stops in the middle of a message (a debugger, a machine without memory) must not hold up
  // the server for ever.
  const timeval stuck{.tv_sec = 30, .tv_usec = 0};
  setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &stuck, sizeof(stuck));
  setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &stuck, sizeof(stuck));
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(pid, ends[0]));
}

WorkerProcess::~WorkerProcess() {
  Kill();
  Reap(true);
}

bool WorkerProcess::Reap(bool wait) {
  if (reaped_) return true;
  pid_t ended = 0;
  do {
    ended = waitpid(pid_, &state_, wait ? 0 : WNOHANG);
  } while (ended < 0 && errno == EINTR);
  reaped_ = ended != 0;
  return reaped_;
}

bool WorkerProcess::Ended() {
  return Reap(false);
}

void WorkerProcess::Kill() {
  if (!reaped_) kill(pid_, SIGKILL);
}

std::string WorkerProcess::DescribeEnd() {
  for (int attempt = 0; attempt < 100 && !Reap(false); ++attempt) absl::SleepFor(absl::Milliseconds(10));
  if (!reaped_) {
    Kill();
    Reap(true);
  }
  if (WIFSIGNALED(state_))
    return absl::StrCat("was ended by signal ", WTERMSIG(state_), " (", strsignal(WTERMSIG(state_)), ")");
  return absl::StrCat("ended with status ", WEXITSTATUS(state_));
}

}  // namespace espalier::server
