// Messages of options as names and numbers, for reports.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/message.h"

namespace espalier::client::report {

// Every field that is set, in the table's order; numbers with as many digits as they need.
std::vector<std::pair<std::string, std::string>> OptionsText(const google::protobuf::Message& options);

// A double with as few digits as say it exactly enough: "0.00784314".
std::string ShortNumber(double value);

}  // namespace espalier::client::report
