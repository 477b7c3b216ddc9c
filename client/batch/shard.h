// One part of a list that several batches share, e.g. the tasks of a Slurm array: shard 2 of 3 has the lines
// 2, 5, 8, ... Neighbouring lines of a list are alike, so that dealing them out evens out the work.
//
//   absl::StatusOr<Shard> shard = ParseShard("2/3");
//   shard->Has(4);   // true: the fifth line, counted from 0
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace espalier::client {

struct Shard {
  size_t index = 1, count = 1;  // 1 <= index <= count

  bool Has(size_t instance) const { return instance % count == index - 1; }
};

// INVALID_ARGUMENT: `text` is not I/N with 1 <= I <= N.
absl::StatusOr<Shard> ParseShard(const std::string& text);

}  // namespace espalier::client
