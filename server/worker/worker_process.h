// One worker process: espalierd started once more (by exec, as `espalierd --worker`) on one end of a socket
// pair.
//
//   auto worker = WorkerProcess::Start(arguments);
//   worker->socket().Send(input);
//   worker->Kill();  std::string how = worker->DescribeEnd();   // "was ended by signal 9 (Killed)"
//
// The process ends with this object, and with the server however that ends. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/worker/message_socket.h"

namespace espalier::server {

class WorkerProcess {
 public:
  // `arguments` follow --worker on its command line. Does not wait until it is ready. UNAVAILABLE when it
  // cannot be started.
  static absl::StatusOr<std::unique_ptr<WorkerProcess>> Start(const std::vector<std::string>& arguments);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  MessageSocket& socket() { return socket_; }
  pid_t pid() const { return pid_; }

  // Whether it has ended without being asked anything.
  bool Ended();
  void Kill();
  // Waits until it has ended, at most a second (then kills it), and says how, as the end of a sentence about
  // it.
  std::string DescribeEnd();

  std::string last_model;  // digest of the model of its last run: that one it still holds

 private:
  WorkerProcess(pid_t pid, int socket) : pid_(pid), socket_(socket) {}
  bool Reap(bool wait);

  const pid_t pid_;
  bool reaped_ = false;
  int state_ = 0;
  MessageSocket socket_;
};

}  // namespace espalier::server
