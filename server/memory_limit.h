// How much memory a run may take, decided before it starts.
//
//   int64_t budget = asked;   // 0: nobody said
//   Failure failure = LimitMemory(limits, fixed, "a model of 5 bytes", budget);
//   queue.Submit({..., .memory_bytes = fixed + budget});
#pragma once

#include <cstdint>
#include <string>

#include "server/core.h"
#include "server/errors.h"

namespace espalier::server {

// What a worker process holds beside its budget (libraries, threads, generated kernels), and what a byte of a
// model's file becomes: the file itself, its parsed form, float32 weights and the lowered network's doubles.
// docs/operations.md says how these were measured.
inline constexpr int64_t kWorkerBytes = int64_t{96} << 20;
inline constexpr int64_t kBytesPerModelByte = 6;

// Makes `budget` what a run that needs `fixed` bytes may take beside them: what was asked for, or an even
// share of the server's memory, as far as that goes. RESOURCE_EXHAUSTED (NOT_ENOUGH_MEMORY) when `what`
// cannot fit even alone.
Failure LimitMemory(const Limits& limits, int64_t fixed, const std::string& what, int64_t& budget);

}  // namespace espalier::server
