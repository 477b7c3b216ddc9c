// Runs the threads of a kernel's blocks, one block after another.
#pragma once

#include <functional>

#include "cuda_runtime.h"

namespace cuda_on_host {

// Calls thread() once for every thread of every block. The first thread of a warp decides how: when it ends
// without meeting a barrier, the others are plain calls; when it meets one, all become fibers that run until
// they wait. `reversed`: blocks and threads in the opposite order. Ends the process with a message when
// threads of a block or warp do not meet at the same barrier.
void RunGrid(const dim3& grid, const dim3& block, bool reversed, const std::function<void()>& thread);

}  // namespace cuda_on_host
