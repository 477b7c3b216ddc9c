// The work of Evaluate and Bounds: arrays in, arrays out.
#pragma once

#include "espalier/v1/bounds.pb.h"
#include "espalier/v1/model.pb.h"
#include "server/core.h"
#include "server/errors.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

Failure HandleEvaluate(Core& core, const v1::EvaluateRequest& request, v1::EvaluateResponse& response);
Failure HandleBounds(Core& core, const v1::BoundsRequest& request, StopToken stop,
                     v1::BoundsResponse& response);

}  // namespace espalier::server
