// Which method when: a short attack, bounds at the root, then branch and bound on what is left; chosen by the
// network's and the box's size, never by name.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "verifier/api/checkpoint.h"
#include "verifier/api/events.h"
#include "verifier/api/options.h"
#include "verifier/api/property.h"
#include "verifier/api/verdict.h"
#include "verifier/backend/factory.h"
#include "verifier/base/stop_token.h"
#include "verifier/ir/network.h"
#include "verifier/search/divide_rule.h"

namespace espalier::search {

// What a search is given from outside.
struct Surroundings {
  const api::WitnessJudge& judge;
  backend::BackendFactory make_backend;
  api::EventSink* sink = nullptr;  // may be null
  StopToken stop = {};
  const api::Checkpoints* checkpoints = nullptr;  // null: none are read or written
  std::string_view version = "";                  // of the engine: a checkpoint fits no other
  DivideRule divide = {};
};

// Decides the property (inputs in ONNX order, see Network::input_order). Errors: INVALID_ARGUMENT (sizes),
// RESOURCE_EXHAUSTED (does not fit at the smallest batch), INTERNAL (a self-check failed), and those of
// make_backend.
absl::StatusOr<api::Verdict> Decide(const ir::Network& network, const api::Property& property,
                                    const api::Options& options, const Surroundings& around);

}  // namespace espalier::search
