#include "client/number_check.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace espalier::client {
namespace {

CLI::Validator NumberThat(const char* name, const char* words, bool (*fits)(double)) {
  return {[words, fits](std::string& text) {
            double number = 0;
            const bool good = absl::SimpleAtod(text, &number) && fits(number);
            return good ? std::string() : absl::StrCat("'", text, "' is not ", words);
          },
          name};
}

}  // namespace

// Written so that a NaN is refused.
CLI::Validator NotNegative() {
  return NumberThat("NONNEGATIVE", "a number from 0 on", [](double number) { return number >= 0; });
}

CLI::Validator Positive() {
  return NumberThat("POSITIVE", "a number above 0", [](double number) { return number > 0; });
}

}  // namespace espalier::client
