// The façade's descriptions as messages.
#pragma once

#include "espalier/v1/bounds.pb.h"
#include "espalier/v1/model.pb.h"
#include "espalier/v1/service.pb.h"
#include "server/core.h"
#include "verifier/verifier.h"

namespace espalier::server {

v1::ModelDescription ToProto(const ModelDescription& description, const Blob& blob);
v1::BoundsResponse ToProto(const BoundsReport& report);
v1::GetCapabilitiesResponse CapabilitiesToProto(const Core& core);

}  // namespace espalier::server
