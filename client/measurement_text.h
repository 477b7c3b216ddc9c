// Measurements of networks as text for a terminal.
//
//   std::fputs(ComparisonTable("base", base, "grafted", grafted).c_str(), stdout);
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "espalier/v1/training.pb.h"

namespace espalier::client {

// One row of what is shown about a network, in tables and reports alike.
struct MeasuredRow {
  std::string name;
  bool more_is_better;
  bool percentage;  // of 100, and so is `value`
  std::function<double(const v1::Measurement&)> value;
};

// The rows that say something about a pair of networks: verification only where samples were verified, what a
// search adds only where there was one.
std::vector<MeasuredRow> MeasuredRows(const v1::Measurement& base, const v1::Measurement& other);

// The number of a row as text: "78.2 %", "7.10".
std::string FormatValue(const MeasuredRow& row, double value);
// A difference with its sign: "-3.1", "+0.25".
std::string FormatChange(const MeasuredRow& row, double change);

std::string ComparisonTable(const std::string& base_name, const v1::Measurement& base,
                            const std::string& other_name, const v1::Measurement& other);

}  // namespace espalier::client
