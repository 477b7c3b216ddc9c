// Engine options on the command line. The names are the fields of a message of options (espalier.v1.Options,
// TrainOptions, GraftOptions), so that a new row of a table needs no change here; the server checks ranges.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace espalier::client {

// "name=value", set in the first of `messages` that has the field. INVALID_ARGUMENT for an unknown name (the
// known ones are listed) or a value that is no number of the field's type.
absl::Status SetOption(const std::string& assignment,
                       const std::vector<google::protobuf::Message*>& messages);
inline absl::Status SetOption(const std::string& assignment, google::protobuf::Message& message) {
  return SetOption(assignment, {&message});
}

}  // namespace espalier::client
