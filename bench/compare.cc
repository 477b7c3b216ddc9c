// Verifiers side by side, from their result files.
//
//   compare Espalier=results/results.csv other=other.csv reference=instances.csv@ref_verdict,ref_s
//           --known instances.csv --limit 60 --output compare.html
//
// Each argument is NAME=FILE, or NAME=FILE@RESULT,SECONDS to name the columns. The accepted forms are
// described in client/report/verifier_results.h and docs/batch.md. The first one's times are put in relation
// to each other one's. Exit status: 0 nothing is wrong, 1 some verdicts are, 2 wrong command line, 3 a file
// cannot be read.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/atomic_file.h"
#include "client/file_bytes.h"
#include "client/report/verifier_comparison.h"

namespace espalier::client::report {
namespace {

struct Arguments {
  std::vector<std::string> verifiers;
  std::string known, output;
  ComparisonSettings settings;
  bool ignore_benchmark = false;
};

absl::StatusOr<VerifierResults> Read(const std::string& argument, bool ignore_benchmark) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0)
    return absl::InvalidArgumentError(absl::StrCat("'", argument, "': write NAME=FILE"));
  std::string path = argument.substr(equals + 1);
  ResultColumns columns{.result = "", .seconds = "", .ignore_benchmark = ignore_benchmark};
  if (const size_t at = path.rfind('@'); at != std::string::npos) {
    const std::vector<std::string> names = absl::StrSplit(path.substr(at + 1), ',');
    if (names.size() != 2) return absl::InvalidArgumentError("write NAME=FILE@RESULT,SECONDS");
    columns.result = names[0];
    columns.seconds = names[1];
    path.resize(at);
  }
  const absl::StatusOr<std::string> text = ReadFileBytes(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<VerifierResults> results = ReadVerifierResults(argument.substr(0, equals), *text, columns);
  if (results.ok()) return results;
  return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", std::string(results.status().message())));
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "compare: %s\n", std::string(status.message()).c_str());
  return 3;
}

int Run(const Arguments& arguments) {
  std::vector<VerifierResults> verifiers;
  for (const std::string& argument : arguments.verifiers) {
    absl::StatusOr<VerifierResults> results = Read(argument, arguments.ignore_benchmark);
    if (!results.ok()) return Fail(results.status());
    verifiers.push_back(*std::move(results));
  }
  if (!arguments.known.empty()) {
    const absl::StatusOr<VerifierResults> known =
        Read(absl::StrCat("known=", arguments.known), arguments.ignore_benchmark);
    if (!known.ok()) return Fail(known.status());
    verifiers.front().known.insert(known->known.begin(), known->known.end());
  }
  const Comparison comparison = Compare(verifiers, arguments.settings);
  std::fputs(ComparisonText(comparison).c_str(), stdout);
  if (!arguments.output.empty()) {
    const absl::Status written = WriteFileAtomically(arguments.output, ComparisonPage(comparison));
    if (!written.ok()) return Fail(written);
  }
  return comparison.AnyWrong() ? 1 : 0;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("compare: result files of verifiers side by side");
  app.add_option("results", arguments.verifiers, "NAME=FILE or NAME=FILE@RESULT,SECONDS")->required();
  app.add_option("--output", arguments.output, "write an HTML page");
  app.add_option("--known", arguments.known, "file whose column `verdict` says what is true");
  app.add_option("--limit", arguments.settings.limit_s, "seconds; later results count as timeouts")
      ->check(CLI::PositiveNumber);
  app.add_flag("--ignore-benchmark", arguments.ignore_benchmark,
               "instances are the same when model and query are, whatever their benchmark is called");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return Run(arguments);
}

}  // namespace
}  // namespace espalier::client::report

int main(int argc, char** argv) {
  return espalier::client::report::Main(argc, argv);
}
