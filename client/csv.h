// Comma-separated values (RFC 4180): quoted cells, either line end, blank lines skipped.
//
//   absl::StatusOr<std::vector<CsvRow>> rows = ParseCsv("a,\"b, c\"\n1,2\n");
//   std::string line = CsvLine({"a", "b, c"});   // a,"b, c"\n
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace espalier::client {

struct CsvRow {
  int line = 0;  // in the text, from 1
  std::vector<std::string> cells;
};

// Blanks around cells that are not quoted are dropped. INVALID_ARGUMENT names the line of a quote that does
// not end.
absl::StatusOr<std::vector<CsvRow>> ParseCsv(const std::string& text);

// One row with its line end; cells are quoted where they have to be.
std::string CsvLine(const std::vector<std::string>& cells);

}  // namespace espalier::client
