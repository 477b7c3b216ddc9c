#include "verifier/api/verdict.h"

#include <gtest/gtest.h>

namespace espalier::api {
namespace {

TEST(VerdictTest, VerifiedHasNoLimitAndNoWitness) {
  const Verdict verdict = Verdict::Verified();
  EXPECT_EQ(verdict.answer(), Answer::kVerified);
  EXPECT_EQ(verdict.limit(), Limit::kNone);
  EXPECT_FALSE(verdict.witness().has_value());
}

TEST(VerdictTest, FalsifiedCarriesItsWitness) {
  const Verdict verdict = Verdict::Falsified({{1.0, 2.0}, {3.0}, true});
  EXPECT_EQ(verdict.answer(), Answer::kFalsified);
  ASSERT_TRUE(verdict.witness().has_value());
  EXPECT_EQ(verdict.witness()->input, (std::vector<double>{1.0, 2.0}));
  EXPECT_EQ(verdict.witness()->output, (std::vector<double>{3.0}));
  EXPECT_TRUE(verdict.witness()->rounded);
}

TEST(VerdictTest, UnknownSaysWhy) {
  const Verdict verdict = Verdict::Unknown(Limit::kTime, "60 s are over");
  EXPECT_EQ(verdict.answer(), Answer::kUnknown);
  EXPECT_EQ(verdict.limit(), Limit::kTime);
  EXPECT_EQ(verdict.reason(), "60 s are over");
  EXPECT_FALSE(verdict.witness().has_value());
}

TEST(VerdictTest, NamesAreThoseOfTheResultFormat) {
  EXPECT_STREQ(AnswerName(Answer::kVerified), "unsat");
  EXPECT_STREQ(AnswerName(Answer::kFalsified), "sat");
  EXPECT_STREQ(AnswerName(Answer::kUnknown), "unknown");
  EXPECT_STREQ(LimitName(Limit::kMemory), "memory");
  EXPECT_STREQ(LimitName(Limit::kUnsupported), "unsupported");
}

}  // namespace
}  // namespace espalier::api
