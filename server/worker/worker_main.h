// What `espalierd --worker` does: runs calls for the server at the other end of an inherited socket, one at a
// time, until that end closes.
#pragma once

#include "server/core.h"

namespace espalier::server {

// Returns the exit status.
int ServeAsWorker(int fd, Core& core);

}  // namespace espalier::server
