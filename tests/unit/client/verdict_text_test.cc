#include "client/verdict_text.h"

#include <gtest/gtest.h>

namespace espalier::client {
namespace {

TEST(VerdictText, WordsOfBothFormats) {
  v1::VerifyResult result;
  result.set_answer(v1::ANSWER_UNSAT);
  EXPECT_EQ(StandardOutput(result), "unsat\n");
  result.set_answer(v1::ANSWER_UNKNOWN);
  result.set_limit(v1::LIMIT_MEMORY);
  EXPECT_EQ(StandardOutput(result), "unknown\n");
  EXPECT_EQ(ResultFile(result), "unknown\n");
  result.set_limit(v1::LIMIT_TIME);
  EXPECT_EQ(StandardOutput(result), "timed-out\n");
  EXPECT_EQ(ResultFile(result), "timeout\n");
}

TEST(VerdictText, AssignmentReadsBackExactly) {
  v1::VerifyResult result;
  result.set_answer(v1::ANSWER_SAT);
  result.mutable_witness()->add_input(0.1);
  result.mutable_witness()->add_input(-1e-300);
  result.mutable_witness()->add_output(3);
  EXPECT_EQ(ResultFile(result), "sat\n((X_0 0.10000000000000001)\n(X_1 -1e-300)\n(Y_0 3))\n");
}

}  // namespace
}  // namespace espalier::client
