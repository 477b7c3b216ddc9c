// Which method when: a short attack, bounds at the root, then branch and bound on what is left; chosen by the
// network's and the box's size, never by name.
#pragma once

#include "absl/status/statusor.h"
#include "verifier/api/events.h"
#include "verifier/api/options.h"
#include "verifier/api/property.h"
#include "verifier/api/verdict.h"
#include "verifier/backend/backend.h"
#include "verifier/base/stop_token.h"
#include "verifier/ir/network.h"

namespace espalier::search {

// Decides the property (inputs in ONNX order, see Network::input_order). `sink` may be null. Errors:
// INVALID_ARGUMENT (sizes), RESOURCE_EXHAUSTED (does not fit at the smallest batch), INTERNAL (a self-check
// failed).
absl::StatusOr<api::Verdict> Decide(const ir::Network& network, const api::Property& property,
                                    const api::Options& options, const api::WitnessJudge& judge,
                                    api::EventSink* sink, StopToken stop);

}  // namespace espalier::search
