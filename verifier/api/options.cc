#include "verifier/api/options.h"

#include <cmath>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace espalier::api {

const std::vector<OptionRow>& OptionTable() {
  static const std::vector<OptionRow>* table = new std::vector<OptionRow>{
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) \
  {#name,                                                                           \
   unit,                                                                            \
   meaning,                                                                         \
   static_cast<double>(default_value),                                              \
   static_cast<double>(minimum),                                                    \
   static_cast<double>(maximum),                                                    \
   std::is_integral_v<type>},
#include "verifier/api/options.def"
#undef ESPALIER_OPTION
  };
  return *table;
}

absl::Status CheckOptions(const Options& options) {
  for (const OptionRow& row : OptionTable()) {
    const double value = GetOption(options, row.name);
    if (!(value >= row.minimum && value <= row.maximum)) {
      return absl::InvalidArgumentError(absl::StrCat("option ", row.name, " is ", value,
                                                     ", allowed: ", row.minimum, " to ", row.maximum,
                                                     row.unit.empty() ? "" : " ", row.unit));
    }
  }
  return absl::OkStatus();
}

absl::Status SetOption(Options& options, const std::string& name, double value) {
#define ESPALIER_OPTION(type, field, default_value, minimum, maximum, unit, meaning)                      \
  if (name == #field) {                                                                                   \
    if (!(value >= static_cast<double>(minimum) && value <= static_cast<double>(maximum))) {              \
      return absl::InvalidArgumentError(absl::StrCat("option ", name, " is ", value,                      \
                                                     ", allowed: ", static_cast<double>(minimum), " to ", \
                                                     static_cast<double>(maximum)));                      \
    }                                                                                                     \
    options.field = static_cast<type>(value);                                                             \
    return absl::OkStatus();                                                                              \
  }
#include "verifier/api/options.def"
#undef ESPALIER_OPTION
  return absl::NotFoundError(absl::StrCat("no option is called '", name, "'"));
}

double GetOption(const Options& options, const std::string& name) {
#define ESPALIER_OPTION(type, field, default_value, minimum, maximum, unit, meaning) \
  if (name == #field) return static_cast<double>(options.field);
#include "verifier/api/options.def"
#undef ESPALIER_OPTION
  return std::nan("");
}

}  // namespace espalier::api
