// What OpenMP and OpenBLAS are to be told through the environment, which they read before main begins.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace espalier::base {

// Which of the kernels in OpenBLAS this processor can run.
enum class BlasCore { kUnknown, kAvx2, kAvx512 };

// The processor's, as the compiler's run-time library sees it.
BlasCore BlasCoreOfThisProcessor();

// Variables and their values, for a process that has none of its own:
//
// - OMP_WAIT_POLICY=passive, GOMP_SPINCOUNT=2000, unless one of them is set: threads that spin for long while
//   they wait for each other hold up the thread they wait for as soon as they have to share processors with
//   anything else: ten times slower and more, measured. Some 25 to 80 us, which is what waking a thread
//   takes, are no more than sleeping costs: an attack on two threads of a virtual machine takes 0.22 s
//   instead of 0.34, and beside two other busy programs a search 2 % longer.
// - OPENBLAS_CORETYPE: an OpenBLAS that is older than the processor takes kernels of a much older one.
//   Version 0.3.21 (Debian 12) takes those for AVX2 on Zen 5, at half of its speed, and those for SSE3 on
//   Emerald Rapids, at a fifth.
std::vector<std::pair<std::string, std::string>> LibraryEnvironment(BlasCore core);

// Sets what nobody has chosen, for processes that this one starts. True when something was set: libraries
// that are loaded already do not know it.
bool SetLibraryEnvironment();

// For the first line of main: starts this program once more when something had to be set. It takes some
// milliseconds, which a client that has set it spares the server that it starts.
void StartInLibraryEnvironment(char** argv);

}  // namespace espalier::base
