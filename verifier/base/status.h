// Early-return macros for absl::Status. Errors travel outward as Status; nothing in this project throws
// across a folder boundary and nothing aborts on a request.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define ESPALIER_RETURN_IF_ERROR(expr)                 \
  do {                                                 \
    absl::Status espalier_status = (expr);             \
    if (!espalier_status.ok()) return espalier_status; \
  } while (false)

#define ESPALIER_CONCAT_INNER(a, b) a##b
#define ESPALIER_CONCAT(a, b) ESPALIER_CONCAT_INNER(a, b)

#define ESPALIER_ASSIGN_OR_RETURN(declaration, expr) \
  ESPALIER_ASSIGN_OR_RETURN_IMPL(ESPALIER_CONCAT(espalier_statusor_, __LINE__), declaration, expr)

#define ESPALIER_ASSIGN_OR_RETURN_IMPL(holder, declaration, expr) \
  auto holder = (expr);                                           \
  if (!holder.ok()) return std::move(holder).status();            \
  declaration = *std::move(holder)
