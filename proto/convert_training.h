// Between the messages of training, grafting and comparing and the engine's own types
// (verifier/api/training.h). A field for every row of train_options.def and graft_options.def: a row without
// one does not compile.
//
//   auto options = proto::TrainOptionsFromProto(request.options());   // defaults where a field is not set
//   if (!options.ok()) ...   // INVALID_ARGUMENT: "option epochs is -1, allowed: ..."
#pragma once

#include "absl/status/statusor.h"
#include "espalier/v1/training.pb.h"
#include "verifier/api/training.h"

namespace espalier::proto {

absl::StatusOr<api::TrainOptions> TrainOptionsFromProto(const v1::TrainOptions& message);
absl::StatusOr<api::GraftOptions> GraftOptionsFromProto(const v1::GraftOptions& message);

// These set every field.
v1::TrainOptions ToProto(const api::TrainOptions& options);
v1::GraftOptions ToProto(const api::GraftOptions& options);
v1::TrainProgress ToProto(const api::TrainProgress& progress);
v1::Measurement ToProto(const api::Measurement& measurement);
v1::GraftReport ToProto(const api::GraftReport& report);
v1::DifferenceReport ToProto(const api::DifferenceBounds& bounds);

}  // namespace espalier::proto
