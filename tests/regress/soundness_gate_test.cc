// The soundness gate: with the attack off, an instance that is known to have a counterexample may end in
// anything but unsat. What the search finds itself is fine; what it proves would be wrong. Needs the shared
// instances; skips without.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/support/test_files.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

using test_support::ReadFile;

constexpr double kSecondsEach = 1.0;

std::vector<std::string> Fields(const std::string& line) {
  std::vector<std::string> fields;
  std::stringstream stream(line);
  for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
  return fields;
}

struct Instance {
  std::string id, onnx, vnnlib;
};

// Known-sat instances of the quick tier whose operators are supported.
std::vector<Instance> KnownSat(const std::string& folder) {
  std::vector<Instance> instances;
  std::istringstream file(ReadFile(folder + "/instances.csv"));
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const std::vector<std::string> f = Fields(line);
    if (f.size() < 8 || f[5] != "sat" || f[6] != "quick" || !f[7].empty()) continue;
    instances.push_back({f[0], folder + "/" + f[2], folder + "/" + f[3]});
  }
  return instances;
}

TEST(SoundnessGate, KnownCounterexamplesAreNeverProvedAway) {
  const std::string folder = test_support::SharedFolder() / "bench";
  const std::vector<Instance> instances = KnownSat(folder);
  if (instances.empty()) GTEST_SKIP() << "no instances in " << folder;
  for (const Instance& instance : instances) {
    SCOPED_TRACE(instance.id);
    const auto model = Model::Load(ReadFile(instance.onnx));
    ASSERT_TRUE(model.ok()) << model.status();
    const auto property = ReadQuery(*model, ReadFile(instance.vnnlib));
    ASSERT_TRUE(property.ok()) << property.status();
    api::Options options;
    options.attack = 0;
    options.timeout_s = kSecondsEach;
    const auto verdict = Verify(*model, *property, options, nullptr, StopToken());
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    EXPECT_NE(verdict->answer(), api::Answer::kVerified);
  }
}

}  // namespace
}  // namespace espalier
