// Shell completion, in a real bash.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

// What bash offers for the last of `words`.
std::string Offered(const std::string& words) {
  Process bash(
      {"/bin/bash", "-c",
       absl::StrCat("source <(", ESPALIER, " completion bash); COMP_WORDS=(", words,
                    "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _espalier; echo \"${COMPREPLY[*]}\"")},
      /*capture_stderr=*/true);
  return bash.ReadAll();
}

TEST(Completion, OffersCommandsFlagsAndValues) {
  EXPECT_EQ(Offered("espalier ver"), "verify\n");
  EXPECT_EQ(Offered("espalier verify --time"), "--timeout\n");
  EXPECT_EQ(Offered("espalier batch list.csv --results-"), "--results-dir\n");
  EXPECT_EQ(Offered("espalier bounds --method cr"), "crown\n");
  EXPECT_EQ(Offered("espalier mod"), "models\n");
  EXPECT_EQ(Offered("espalier models --de"), "--delete\n");
  EXPECT_EQ(Offered("espalier --vers"), "--version\n");
  EXPECT_EQ(Offered("espalier completion ''"), "\n") << "words that are no flags are files";
  EXPECT_EQ(Offered("espalier verify --network --"), "\n") << "a value is expected";
}

}  // namespace
}  // namespace espalier::service_test
