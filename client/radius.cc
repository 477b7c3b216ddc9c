#include "client/radius.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace espalier::client {

absl::StatusOr<double> ParseRadius(const std::string& text) {
  const size_t slash = text.find('/');
  double above = 0, below = 1;
  const bool numbers = absl::SimpleAtod(text.substr(0, slash), &above) &&
                       (slash == std::string::npos || absl::SimpleAtod(text.substr(slash + 1), &below));
  const double radius = above / below;
  // Written so that NaN is refused.
  const bool fine = numbers && below > 0 && radius >= 0 && std::isfinite(radius);
  if (!fine) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no radius; write a decimal like 0.01 or a fraction like 2/255"));
  }
  return radius;
}

}  // namespace espalier::client
