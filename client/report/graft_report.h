// The report of a grafting run: everything that it did, measured and needs to be repeated.
//
//   GraftRun run{.report = event.grafted(), .command_line = "espalier graft ...", .files = files};
//   WriteFileAtomically("net.html", GraftPage(run));
//   WriteFileAtomically("net.json", GraftJson(run));
#pragma once

#include <string>

#include "client/training_files.h"
#include "espalier/v1/training.pb.h"

namespace espalier::client::report {

struct GraftRun {
  v1::GraftReport report;
  std::string command_line;
  FileList files;  // sent, and the result
};

std::string GraftPage(const GraftRun& run);  // one self-contained HTML file
std::string GraftJson(const GraftRun& run);  // the same data

}  // namespace espalier::client::report
