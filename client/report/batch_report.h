// What a batch came to, as text, HTML, JSON and the table of VNN-COMP.
//
//   BatchRun run{.list = "instances.csv", .records = records, .command_line = "espalier batch ..."};
//   WriteFileAtomically("report.html", BatchPage(run));
#pragma once

#include <string>
#include <vector>

#include "client/batch/record.h"
#include "espalier/v1/options.pb.h"

namespace espalier::client::report {

struct BatchRun {
  std::string list;                     // path of the instances
  int64_t instances = 0;                // in the list
  std::vector<InstanceRecord> records;  // of those that are finished, in the list's order
  v1::Options options;                  // as given
  std::string device, command_line;
  double seconds = 0;  // of the last run, wall clock
  int64_t known = 0;   // records that earlier runs had made
};

std::string BatchText(const BatchRun& run);
std::string BatchPage(const BatchRun& run);  // one self-contained HTML file
std::string BatchJson(const BatchRun& run);  // counts and all records

// Lines `category,onnx,vnnlib,prepare seconds,result,seconds`, without a head line: the form in which the
// competition publishes results.
std::string ResultsCsv(const std::vector<InstanceRecord>& records);

}  // namespace espalier::client::report
