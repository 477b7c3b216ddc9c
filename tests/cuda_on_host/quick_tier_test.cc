// Whole verifications of shared benchmark instances through the CUDA sources: the verdict that is known, and
// the processor's. Which: the quick tier's instances with a known verdict whose network file is small (host
// execution is slow) and which the processor decides in a moment. Running out of time is no disagreement, but
// twenty have to agree. Needs the shared instances; skips without.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "device.h"
#include "tests/support/test_files.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

using test_support::ReadFile;

constexpr uintmax_t kLargestNetwork = 460000;  // bytes
// Of processor time: what is decided does not depend on what else the machine does.
constexpr double kProcessorSeconds = 10;
constexpr double kCardSeconds = 20;
constexpr size_t kLeastAgreeing = 20;

struct Instance {
  std::string id, onnx, vnnlib, verdict;
};

std::vector<Instance> SmallInstances() {
  const std::filesystem::path folder = test_support::SharedFolder() / "bench";
  std::istringstream file(ReadFile(folder / "instances.csv"));
  std::vector<Instance> instances;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const std::vector<std::string> f = absl::StrSplit(line, ',');
    if (f.size() < 8 || f[6] != "quick" || (f[5] != "sat" && f[5] != "unsat") || !f[7].empty()) continue;
    const std::filesystem::path onnx = folder / f[2];
    std::error_code error;
    const uintmax_t bytes = std::filesystem::file_size(onnx, error);
    if (!error && bytes <= kLargestNetwork) instances.push_back({f[0], onnx, folder / f[3], f[5]});
  }
  return instances;
}

// Cancels after so many seconds of this process's processor time.
class ProcessorLimit {
 public:
  explicit ProcessorLimit(double seconds)
      : watch_([this, end = std::clock() + static_cast<std::clock_t>(seconds * CLOCKS_PER_SEC)] {
          while (!over_ && std::clock() < end) absl::SleepFor(absl::Milliseconds(20));
          source_.Cancel();
        }) {}
  ~ProcessorLimit() {
    over_ = true;
    watch_.join();
  }
  StopToken token() const { return source_.token(); }

 private:
  StopSource source_;
  std::atomic<bool> over_ = false;
  std::thread watch_;  // last: it uses the others
};

absl::StatusOr<api::Verdict> Decide(const Instance& instance, int64_t device, double seconds) {
  const auto model = Model::Load(ReadFile(instance.onnx));
  if (!model.ok()) return model.status();
  const auto property = ReadQuery(*model, ReadFile(instance.vnnlib));
  if (!property.ok()) return property.status();
  api::Options options;
  options.device = device;
  options.timeout_s = 3000;
  const ProcessorLimit limit(seconds);
  return Verify(*model, *property, options, nullptr, limit.token());
}

// "sat", "unsat", or why it is neither.
std::string AnswerOf(const absl::StatusOr<api::Verdict>& verdict) {
  return verdict.ok() ? std::string(api::AnswerName(verdict->answer())) : verdict.status().ToString();
}

TEST(QuickTierTest, TheCardDecidesAsTheProcessorDoes) {
  const std::vector<Instance> instances = SmallInstances();
  if (instances.empty()) GTEST_SKIP() << "no instances here";
  size_t agreed = 0;
  for (const Instance& instance : instances) {
    SCOPED_TRACE(instance.id);
    const std::string cpu = AnswerOf(Decide(instance, 0, kProcessorSeconds));
    if (cpu == "unknown") continue;
    EXPECT_EQ(cpu, instance.verdict);
    const int64_t launches = cuda_on_host::CountsSoFar().launches;
    const std::string card = AnswerOf(Decide(instance, 1, kCardSeconds));
    EXPECT_GT(cuda_on_host::CountsSoFar().launches, launches);
    std::printf("%-70s %s %s\n", instance.id.c_str(), cpu.c_str(), card.c_str());
    if (card == "unknown") continue;  // the time was over
    EXPECT_EQ(card, instance.verdict);
    ++agreed;
  }
  EXPECT_GE(agreed, kLeastAgreeing) << "of " << instances.size();
}

}  // namespace
}  // namespace espalier
