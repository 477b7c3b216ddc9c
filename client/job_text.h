// Jobs as text and as JSON.
#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "espalier/v1/jobs.pb.h"

namespace espalier::client {

// "queued", "running", "done", "failed" or "cancelled".
std::string StateName(v1::JobState state);
std::optional<v1::JobState> StateOf(const std::string& name);

// How long ago: "12s", "5m", "3h", "8d".
std::string AgeText(double seconds);
// Local time; `seconds` since 1970.
std::string TimeText(double seconds);

// A header and one line a job: number, state, answer, age, label.
std::string JobTable(const google::protobuf::RepeatedPtrField<v1::Job>& jobs, absl::Time now);

// One job, an item a line.
std::string JobText(const v1::Job& job);

// Field names as in the .proto files; one line.
std::string Json(const google::protobuf::Message& message);

}  // namespace espalier::client
