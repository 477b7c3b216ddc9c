// Engine options on the command line. The names are the fields of espalier.v1.Options, so that a new row of
// the table needs no change here; the server checks ranges.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "espalier/v1/options.pb.h"

namespace espalier::client {

// "name=value". INVALID_ARGUMENT for an unknown name (the known ones are listed) or a value that is no number
// of the field's type.
absl::Status SetOption(const std::string& assignment, v1::Options& options);

}  // namespace espalier::client
