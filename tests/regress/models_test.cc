// Every network of models/ with every query of its index: the verdict that stands there, with the attack and
// without.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/support/test_files.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

using test_support::ReadFile;

const std::filesystem::path kModels = test_support::SourceFolder() / "models";

struct Row {
  std::string network, query, verdict;
};

std::vector<Row> Index() {
  std::vector<Row> rows;
  const std::string text = ReadFile(kModels / "index.csv");
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    if (fields.size() == 4 && fields[0] != "network") rows.push_back({fields[0], fields[1], fields[2]});
  }
  return rows;
}

class ModelsTest : public ::testing::TestWithParam<Row> {
 protected:
  api::Verdict Run(bool attack) {
    const auto model = Model::Load(ReadFile(kModels / GetParam().network));
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return api::Verdict::Unknown(api::Limit::kNone, "");
    const auto property = ReadQuery(*model, ReadFile(kModels / GetParam().query));
    EXPECT_TRUE(property.ok()) << property.status();
    if (!property.ok()) return api::Verdict::Unknown(api::Limit::kNone, "");
    api::Options options;
    options.attack = attack ? 1 : 0;
    // With the attack every verdict has to come, however slow machine and backend are.
    options.timeout_s = attack ? 3000 : 10;
    const auto verdict = Verify(*model, *property, options, nullptr, StopToken());
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.ok() ? *verdict : api::Verdict::Unknown(api::Limit::kNone, "");
  }
};

TEST_P(ModelsTest, GivesTheVerdictOfTheIndex) {
  EXPECT_EQ(api::AnswerName(Run(true).answer()), GetParam().verdict);
}

TEST_P(ModelsTest, WithoutTheAttackNoCounterexampleIsProvedAway) {
  const std::string opposite = GetParam().verdict == "sat" ? "unsat" : "sat";
  EXPECT_NE(api::AnswerName(Run(false).answer()), opposite);
}

TEST(ModelsIndexTest, ListsTheModels) {
  EXPECT_GE(Index().size(), 10u);
}

INSTANTIATE_TEST_SUITE_P(Index, ModelsTest, ::testing::ValuesIn(Index()), [](const auto& row) {
  const std::vector<std::string> path = absl::StrSplit(row.param.query, '/');
  return absl::StrReplaceAll(row.param.network + "_" + path.back(), {{".onnx", ""}, {".vnnlib", ""}});
});

}  // namespace
}  // namespace espalier
