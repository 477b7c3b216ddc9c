#include "tests/gpu_check/queries.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/test_files.h"
#include "verifier/verifier.h"

namespace espalier::gpu_check {
namespace {

struct Outcome {
  std::string answer;
  double seconds = 0;
};

Outcome Decide(const std::string& onnx, const std::string& vnnlib, int64_t device, double limit) {
  const auto start = std::chrono::steady_clock::now();
  const auto model = Model::Load(onnx);
  if (!model.ok()) return {std::string(model.status().message())};
  const auto property = ReadQuery(*model, vnnlib);
  if (!property.ok()) return {std::string(property.status().message())};
  api::Options options;
  options.device = device;
  options.timeout_s = limit;
  const auto verdict = Verify(*model, *property, options, nullptr, StopToken());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!verdict.ok()) return {std::string(verdict.status().message()), seconds};
  return {std::string(api::AnswerName(verdict->answer())), seconds};
}

}  // namespace

absl::StatusOr<std::vector<QueryResult>> RunQueries(const std::filesystem::path& folder, int64_t device,
                                                    double limit_seconds) {
  const std::string index = test_support::ReadFile(folder / "index.csv");
  if (index.empty()) return absl::NotFoundError(absl::StrCat("no index.csv in ", folder.string()));
  std::vector<QueryResult> results;
  for (absl::string_view line : absl::StrSplit(index, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    if (fields.size() < 3 || fields[0] == "network") continue;
    const std::string onnx = test_support::ReadFile(folder / fields[0]);
    const std::string vnnlib = test_support::ReadFile(folder / fields[1]);
    const Outcome card = Decide(onnx, vnnlib, device, limit_seconds);
    const Outcome processor = Decide(onnx, vnnlib, 0, limit_seconds);
    results.push_back(
        {fields[0], fields[1], fields[2], card.answer, processor.answer, card.seconds, processor.seconds});
  }
  return results;
}

}  // namespace espalier::gpu_check
