// Options of one verification. Every field is one row of options.def: default, range, unit and meaning stand
// there.
//
//   Options options;
//   options.timeout_s = 60;
//   absl::Status ok = CheckOptions(options);   // INVALID_ARGUMENT naming the field and its range
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace espalier::api {

struct Options {
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) type name = default_value;
#include "verifier/api/options.def"
#undef ESPALIER_OPTION
};

struct OptionRow {
  std::string name, unit, meaning;
  double default_value, minimum, maximum;
  bool integer;
};

const std::vector<OptionRow>& OptionTable();

absl::Status CheckOptions(const Options& options);

// Reads or writes the field called `name`; NOT_FOUND when there is none. Values travel as double (integers
// beyond 2^53 are not needed by any option).
absl::Status SetOption(Options& options, const std::string& name, double value);
double GetOption(const Options& options, const std::string& name);

}  // namespace espalier::api
