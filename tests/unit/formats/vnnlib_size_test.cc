// Every query of the benchmark collection is read, and large files are read fast.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/test_files.h"
#include "tests/unit/formats/vnnlib_text.h"
#include "verifier/formats/vnnlib_reader.h"

namespace espalier::formats {
namespace {

using test_support::ReadFile;
using test_support::SharedFolder;

int64_t CountDeclarations(const std::string& text, const std::string& prefix) {
  int64_t count = 0;
  const std::string wanted = "(declare-const " + prefix;
  for (size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) ++count;
  return count;
}

TEST(VnnlibSizeTest, EveryBenchmarkQueryIsRead) {
  const std::filesystem::path folder = SharedFolder() / "bench";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << folder << " is not there";
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".vnnlib") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  int64_t disjuncts = 0, boxes = 0;
  size_t largest = 0;
  std::string slowest;
  absl::Duration total;
  for (const std::filesystem::path& path : paths) {
    const std::string text = ReadFile(path);
    const int64_t inputs = CountDeclarations(text, "X_"), outputs = CountDeclarations(text, "Y_");
    const absl::Time start = absl::Now();
    const absl::StatusOr<api::Property> property = ReadVnnlib(text, inputs, outputs);
    const absl::Duration elapsed = absl::Now() - start;
    total += elapsed;
    ASSERT_TRUE(property.ok()) << path << ": " << property.status();
    EXPECT_FALSE(property->disjuncts.empty()) << path;
    EXPECT_TRUE(property->warnings.empty()) << path << ": " << property->warnings[0];
    disjuncts += static_cast<int64_t>(property->disjuncts.size());
    boxes += static_cast<int64_t>(property->boxes.size());
    if (text.size() <= largest) continue;
    largest = text.size();
    slowest =
        absl::StrCat(path.filename().string(), ": ", text.size(), " bytes, ", property->disjuncts.size(),
                     " disjuncts, ", property->boxes.size(), " boxes, ", absl::FormatDuration(elapsed));
  }
  EXPECT_GT(paths.size(), 100u);
  std::cout << paths.size() << " queries, " << disjuncts << " disjuncts, " << boxes << " boxes, "
            << absl::FormatDuration(total) << "; the largest: " << slowest << "\n";
}

TEST(VnnlibSizeTest, FiftyMegabytesTakeSeconds) {
  constexpr int kInputs = 300;
  std::string text = Declarations(kInputs, 2) + "(assert (or\n";
  int64_t disjuncts = 0;
  for (; text.size() < 50'000'000; ++disjuncts) {
    text += "(and";
    for (int i = 0; i < kInputs; ++i) {
      absl::StrAppend(&text, " (>= X_", i, " 0.", disjuncts % 1000, "1) (<= X_", i, " 1.7884517312049866)");
    }
    text += " (<= Y_0 -1e-5))\n";
  }
  text += "))";
  const std::clock_t start = std::clock();
  const absl::StatusOr<api::Property> property = ReadVnnlib(text, kInputs, 2);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  ASSERT_TRUE(property.ok()) << property.status();
  EXPECT_EQ(static_cast<int64_t>(property->disjuncts.size()), disjuncts);
  EXPECT_EQ(property->boxes.size(), 1000u);
  std::cout << text.size() << " bytes, " << disjuncts << " disjuncts: " << seconds << " s\n";
  EXPECT_LT(seconds, 30) << "of processor time; about one is usual";
}

}  // namespace
}  // namespace espalier::formats
