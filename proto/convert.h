// Between the messages and the engine's own types (verifier/api). A field for every row of options.def: a row
// without one does not compile.
//
//   auto options = proto::OptionsFromProto(request.options());   // defaults where a field is not set
//   if (!options.ok()) ...                                       // INVALID_ARGUMENT naming the field and its
//   range
#pragma once

#include "absl/status/statusor.h"
#include "espalier/v1/options.pb.h"
#include "espalier/v1/verify.pb.h"
#include "verifier/api/events.h"
#include "verifier/api/options.h"
#include "verifier/api/verdict.h"

namespace espalier::proto {

absl::StatusOr<api::Options> OptionsFromProto(const v1::Options& message);

// Sets every field.
v1::Options ToProto(const api::Options& options);
v1::OptionInfo ToProto(const api::OptionRow& row);
v1::Progress ToProto(const api::Progress& progress);
v1::Witness ToProto(const api::Witness& witness);
v1::Statistics ToProto(const api::Statistics& statistics);
v1::Answer ToProto(api::Answer answer);
v1::Limit ToProto(api::Limit limit);

// Everything but the record of the run, which the caller knows.
v1::VerifyResult ToProto(const api::Verdict& verdict);

}  // namespace espalier::proto
