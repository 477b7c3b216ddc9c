// Ends the process when the other end of an inherited socket is closed, which the kernel does for a parent
// that dies in any way, kill -9 included.
//
//   WatchParent(fd);   // a detached thread sleeps in poll; nothing is read from fd
#pragma once

namespace espalier::server {

void WatchParent(int fd);

}  // namespace espalier::server
