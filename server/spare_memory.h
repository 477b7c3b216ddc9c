// Memory that was freed and that the C library keeps: after a flood of calls hundreds of megabytes, in the
// arenas of the threads that served it.
//
//   GiveBackSpareMemory();  // now and then, by any thread
#pragma once

namespace espalier::server {

// Gives it back to the system when it is more than a little. Cheap otherwise.
void GiveBackSpareMemory();

}  // namespace espalier::server
