// What `espalier compare` found, as text, HTML and JSON.
#pragma once

#include <string>

#include "client/training_files.h"
#include "espalier/v1/training.pb.h"

namespace espalier::client::report {

struct CompareRun {
  v1::DifferenceReport report;
  v1::CompareRequest numbers;  // as asked for
  std::string command_line;
  FileList files;
};

std::string CompareText(const CompareRun& run);
std::string ComparePage(const CompareRun& run);  // one self-contained HTML file
std::string CompareJson(const CompareRun& run);

}  // namespace espalier::client::report
