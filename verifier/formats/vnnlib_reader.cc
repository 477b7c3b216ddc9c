#include "verifier/formats/vnnlib_reader.h"

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/vnnlib_expand.h"
#include "verifier/formats/vnnlib_parser.h"

namespace espalier::formats {

absl::StatusOr<api::Property> ReadVnnlib(std::string_view text, int64_t input_size, int64_t output_size,
                                         const VnnlibLimits& limits) {
  if (static_cast<int64_t>(text.size()) > limits.bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the query has ", text.size(), " bytes, the limit is ", limits.bytes));
  }
  ESPALIER_ASSIGN_OR_RETURN(const Formula formula, ParseVnnlib(text, input_size, output_size));
  return ExpandFormula(formula, input_size, output_size, {limits.max_disjuncts, limits.max_numbers});
}

}  // namespace espalier::formats
