// What a loaded Model holds. Only the façade's own files include this.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "verifier/ir/graph.h"
#include "verifier/ir/network.h"
#include "verifier/verifier.h"

namespace espalier {

// Invariants: description.unsupported is empty exactly when `network` is set, and then lowering_status is OK.
// When the graph itself cannot be handled (Prepare listed nodes), evaluation_status says so with the same
// list.
struct Model::Impl {
  ir::Graph graph;  // prepared
  ModelDescription description;
  std::optional<ir::Network> network;  // absent: lowering_status says why
  absl::Status lowering_status;        // OK, or UNIMPLEMENTED listing every node at fault
  absl::Status evaluation_status;      // OK, or UNIMPLEMENTED: the graph cannot even be evaluated
};

}  // namespace espalier
