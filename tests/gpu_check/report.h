// The report of a check, as JSON for programs and as text for people.
#pragma once

#include <string>
#include <vector>

#include "tests/gpu_check/conformance_run.h"
#include "tests/gpu_check/queries.h"
#include "tests/gpu_check/traffic.h"

namespace espalier::gpu_check {

struct Report {
  std::string card;     // its name; empty: there is none, and nothing below was done
  std::string no_card;  // why
  ConformanceResult conformance;
  std::vector<Measurement> products;
  Traffic traffic;
  std::vector<Measurement> search;
  std::vector<QueryResult> queries;
  std::vector<std::string> errors;  // of parts that ended early

  // Whether everything ran, passed and agreed. Speed does not count.
  bool passed() const;
};

std::string AsJson(const Report& report);
std::string AsText(const Report& report);

}  // namespace espalier::gpu_check
