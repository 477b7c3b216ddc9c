// Whole verifications of a folder's queries (its index.csv) on a card and on the processor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace espalier::gpu_check {

struct QueryResult {
  std::string network, query, known;  // known: the index's verdict
  std::string card, processor;        // verdicts, or an error's text
  double card_seconds = 0, processor_seconds = 0;
  bool agrees() const { return card == known && processor == known; }
};

// `device` as options.device counts. NOT_FOUND without an index.
absl::StatusOr<std::vector<QueryResult>> RunQueries(const std::filesystem::path& folder, int64_t device,
                                                    double limit_seconds);

}  // namespace espalier::gpu_check
