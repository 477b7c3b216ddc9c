// Complete verification of several networks on the same samples, one CSV line per sample and network.
//
//   graft_verify DATA --eps E [--samples N] [--timeout S] [--domains D] [--threads T] NAME=MODEL.onnx ...
//
// DATA holds its labels (CIFAR-10 binary or .npz). For each of the first N samples and each network in turn
// (so that whatever else the machine does meets all of them alike): is it classified correctly; does plain
// CROWN certify it, does CROWN with optimised slopes of the output rows; what does complete verification with
// the default options say within S seconds, after how many domains and seconds. The seconds are the
// verifier's alone: those of the clock and those of the processor, which other programs on the machine hardly
// move; and the clock's by phase. With a limit on domains instead of time, trees of different networks can be
// compared. --no-roots leaves out what the roots alone certify.
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "verifier/base/library_environment.h"
#include "verifier/base/status.h"
#include "verifier/formats/dataset_reader.h"
#include "verifier/label_property.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

struct Network {
  std::string name;
  std::optional<Model> model;
};

struct Arguments {
  std::string data;
  double epsilon = 0, timeout = 60;
  int64_t samples = 200, threads = 1, domains = 0;
  bool roots = true;
  std::vector<std::string> networks;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::StatusOr<double> Ratio(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  double top = 0, bottom = 1;
  if (!absl::SimpleAtod(parts[0], &top) || (parts.size() > 1 && !absl::SimpleAtod(parts[1], &bottom))) {
    return absl::InvalidArgumentError(absl::StrCat("not a number: ", text));
  }
  return top / bottom;
}

absl::StatusOr<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      (arguments.data.empty() ? arguments.data : arguments.networks.emplace_back()) = word;
      continue;
    }
    if (word == "--no-roots") {
      arguments.roots = false;
      continue;
    }
    if (i + 1 == argc) return absl::InvalidArgumentError(absl::StrCat(word, " wants a value"));
    ESPALIER_ASSIGN_OR_RETURN(const double value, Ratio(argv[++i]));
    if (word == "--eps") arguments.epsilon = value;
    if (word == "--timeout") arguments.timeout = value;
    if (word == "--samples") arguments.samples = static_cast<int64_t>(value);
    if (word == "--domains") arguments.domains = static_cast<int64_t>(value);
    if (word == "--threads") arguments.threads = static_cast<int64_t>(value);
  }
  if (arguments.networks.empty())
    return absl::InvalidArgumentError("usage: DATA --eps E NAME=MODEL.onnx ...");
  return arguments;
}

// True when the start node alone, without any split and without an attack, decides it.
absl::StatusOr<bool> AtRoot(const Model& model, const api::Property& property, int64_t alpha_iterations,
                            int64_t threads) {
  api::Options options;
  options.threads = threads;
  options.timeout_s = 1e9;
  options.attack = options.input_split = options.intermediate_iterations = 0;
  options.alpha_iterations = alpha_iterations;
  options.batch = options.max_domains = 1;
  ESPALIER_ASSIGN_OR_RETURN(const api::Verdict verdict,
                            Verify(model, property, options, nullptr, StopToken()));
  return verdict.answer() == api::Answer::kVerified && verdict.statistics.domains == 0;
}

absl::StatusOr<bool> Correct(const Model& model, const std::vector<float>& sample, int64_t label) {
  ESPALIER_ASSIGN_OR_RETURN(
      const std::vector<double> output,
      model.Evaluate(std::vector<double>(sample.begin(), sample.end()), /*float64=*/false));
  for (size_t k = 0; k < output.size(); ++k) {
    if (static_cast<int64_t>(k) != label && output[k] >= output[static_cast<size_t>(label)]) return false;
  }
  return true;
}

absl::Status VerifyOne(const Network& network, const Arguments& arguments, int64_t index,
                       const std::vector<float>& sample, int64_t label) {
  const Model& model = *network.model;
  ESPALIER_ASSIGN_OR_RETURN(const bool correct, Correct(model, sample, label));
  if (!correct) {
    std::printf("%lld,%s,0,0,0,wrong,0,0,0,0,0,0\n", static_cast<long long>(index), network.name.c_str());
    return absl::OkStatus();
  }
  ESPALIER_ASSIGN_OR_RETURN(const api::Property property,
                            LabelProperty(model, sample, label, {.epsilon = arguments.epsilon}));
  bool crown = false, alpha = false;
  if (arguments.roots) {
    ESPALIER_ASSIGN_OR_RETURN(crown, AtRoot(model, property, 0, arguments.threads));
    ESPALIER_ASSIGN_OR_RETURN(alpha,
                              AtRoot(model, property, api::Options().alpha_iterations, arguments.threads));
  }
  api::Options options;
  options.threads = arguments.threads;
  options.timeout_s = arguments.timeout;
  options.max_domains = arguments.domains;
  const absl::Time start = absl::Now();
  const std::clock_t processor = std::clock();
  ESPALIER_ASSIGN_OR_RETURN(const api::Verdict verdict,
                            Verify(model, property, options, nullptr, StopToken()));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  const double processor_seconds = static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC;
  const char* answer = verdict.answer() == api::Answer::kVerified    ? "unsat"
                       : verdict.answer() == api::Answer::kFalsified ? "sat"
                                                                     : "unknown";
  std::map<std::string, double> phase = verdict.statistics.seconds;
  std::printf("%lld,%s,1,%d,%d,%s,%.3f,%lld,%.3f,%.3f,%.3f,%.3f\n", static_cast<long long>(index),
              network.name.c_str(), crown, alpha, answer, seconds,
              static_cast<long long>(verdict.statistics.domains), processor_seconds, phase["prepare"],
              phase["attack"], phase["root"]);
  return absl::OkStatus();
}

absl::Status Main(int argc, char** argv) {
  ESPALIER_ASSIGN_OR_RETURN(const Arguments arguments, Parse(argc, argv));
  ESPALIER_ASSIGN_OR_RETURN(const Dataset data, formats::ReadDataset(ReadFile(arguments.data), ""));
  std::vector<Network> networks;
  for (const std::string& text : arguments.networks) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    ESPALIER_ASSIGN_OR_RETURN(Model model, Model::Load(ReadFile(parts.second)));
    networks.push_back({parts.first, std::move(model)});
  }
  std::puts(
      "sample,network,correct,crown,alpha_crown,answer,seconds,domains,processor_seconds,prepare,attack,"
      "root");
  std::vector<float> sample(static_cast<size_t>(data.sample_size()));
  for (int64_t i = 0; i < std::min(arguments.samples, data.size()); ++i) {
    data.CopySample(i, sample.data());
    for (const Network& network : networks) {
      ESPALIER_RETURN_IF_ERROR(VerifyOne(network, arguments, i, sample, data.labels[static_cast<size_t>(i)]));
    }
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace espalier

int main(int argc, char** argv) {
  espalier::base::StartInLibraryEnvironment(argv);
  const absl::Status status = espalier::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
