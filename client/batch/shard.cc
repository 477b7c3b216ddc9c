#include "client/batch/shard.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace espalier::client {

absl::StatusOr<Shard> ParseShard(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Shard shard;
  const bool valid = parts.size() == 2 && absl::SimpleAtoi(parts[0], &shard.index) &&
                     absl::SimpleAtoi(parts[1], &shard.count) && shard.index >= 1 &&
                     shard.index <= shard.count;
  if (!valid)
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no shard: write I/N with 1 <= I <= N"));
  return shard;
}

}  // namespace espalier::client
