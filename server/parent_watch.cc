#include "server/parent_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace espalier::server {

void WatchParent(int fd) {
  // A copy of its own: gRPC closes the original when the connection ends, and the number could be reused.
  const int watched = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (watched < 0) _exit(1);
  std::thread([watched] {
    pollfd request{watched, POLLRDHUP, 0};
    while (true) {
      const int ready = poll(&request, 1, -1);
      if (ready > 0) _exit(0);
      if (ready < 0 && errno != EINTR) _exit(1);
    }
  }).detach();
}

}  // namespace espalier::server
