#include "verifier/api/options.h"

#include <type_traits>

#include "verifier/api/option_fields.h"

namespace espalier::api {
namespace {

const std::vector<OptionField<Options>>& Fields() {
  static const auto* fields = new std::vector<OptionField<Options>>{
#define ESPALIER_OPTION(...) ESPALIER_OPTION_FIELD(Options, __VA_ARGS__)
#include "verifier/api/options.def"
#undef ESPALIER_OPTION
  };
  return *fields;
}

}  // namespace

const std::vector<OptionRow>& OptionTable() {
  static const auto* table = new std::vector<OptionRow>(RowsOf(Fields()));
  return *table;
}

absl::Status CheckOptions(const Options& options) {
  return CheckFields(Fields(), options);
}

absl::Status SetOption(Options& options, const std::string& name, double value) {
  return SetField(Fields(), options, name, value);
}

double GetOption(const Options& options, const std::string& name) {
  return GetField(Fields(), options, name);
}

}  // namespace espalier::api
