// What is not a query is refused with its place, and nothing that a file says can crash the reader.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/formats/vnnlib_text.h"
#include "verifier/formats/vnnlib_reader.h"

namespace espalier::formats {
namespace {

const char kHead[] =
    "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n"
    "(assert (>= X_0 0))\n(assert (<= X_0 1))\n";  // five lines

absl::Status Read(const std::string& text) {
  return ReadVnnlib(text, 1, 2).status();
}

TEST(VnnlibErrorsTest, PlaceAndReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"(assert (<= Y_0 1)", "line 6, column 19: expected ')' at the end of the assert, found end of file"},
      {"(assert (<= Y_0\n 1", "line 7, column 3: the file ends inside an assert; the expression of line 6"},
      {"(assert (<= Y_0 1)))", "line 6, column 20: expected a command such as (assert ...), found ')'"},
      {"(assert)", "line 6, column 8: expected a formula, found ')'"},
      {"(assert Y_0)", "line 6, column 9: expected a formula, found 'Y_0'"},
      {"(assert (Y_0))", "line 6, column 10: expected an operator, found 'Y_0'"},
      {"(assert (<= Y_0 1) (<= Y_1 1))", "expected ')' at the end of the assert, found '('"},
      {"  (assert (<= Z_0 1))", "line 6, column 15: unknown variable 'Z_0'"},
      {"(assert (<= Y_ 1))", "unknown variable 'Y_'"},
      {"(assert (<= Y_00 1))", "unknown variable 'Y_00'"},
      {"(assert (<= Y_-1 1))", "unknown variable 'Y_-1'"},
      {"(assert (<= Y_1x 1))", "unknown variable 'Y_1x'"},
      {"(assert (<= Y_2 1))", "'Y_2' is outside the network, which has 2 outputs"},
      {"(assert (<= X_1 1))", "'X_1' is outside the network, which has 1 inputs"},
      {"(assert (<= Y_99999999999999999999 1))", "is outside the network"},
      {"(declare-const X_0 Real)", "'X_0' is declared twice"},
      {"(declare-const X_0 Int)", "expected the sort Real, found 'Int'"},
      {"(declare-fun X_0 (Real) Real)", "expected () (functions with arguments"},
      {"(assert (<= (* Y_0 Y_1) 1))", "line 6, column 20: a product of two variables is not linear"},
      {"(assert (<= (/ 1 Y_0) 1))", "division by a variable is not linear"},
      {"(assert (<= (/ Y_0 0) 1))", "division by zero"},
      {"(assert (<= (/ Y_0) 1))", "'/' lacks operands"},
      {"(assert (<= (+) 1))", "'+' lacks operands"},
      {"(assert (<= Y_0))", "'<=' takes two terms, here are 1"},
      {"(assert (<= Y_0 1 2))", "'<=' takes two terms, here are 3"},
      {"(assert (and 1 2))", "expected a formula, found '1'"},
      {"(assert (<= (and) 1))", "expected a linear term, found 'and'"},
      {"(assert (+ Y_0 1))", "expected and, or or a comparison, found '+'"},
      {"(assert (<= Y_0 1e999))", "expected a finite decimal or a variable, found '1e999'"},
      {"(assert (<= Y_0 nan))", "unknown variable 'nan'"},
      {"(assert (<= Y_0 -nan))", "expected a finite decimal or a variable, found '-nan'"},
      {"(assert (<= Y_0 -inf))", "expected a finite decimal or a variable, found '-inf'"},
      {"(assert (<= Y_0 --1))", "expected a finite decimal"},
      {"(assert (<= Y_0 1.2.3))", "expected a finite decimal"},
      {"(assert (<= Y_0 0x10))", "expected a finite decimal"},
      {"(assert (<= Y_0 \"1\"))", "a string has no meaning here"},
      {"(assert (<= (* 1e300 1e300 Y_0) 1))", "line 6, column 10: a coefficient or constant is not finite"},
      {"(assert (<= (* 1e-300 X_0) 1e300))", "the bound is not finite"},
      {"(frobnicate)", "line 6, column 2: unknown command 'frobnicate'"},
      {"(set-info :a (b)", "this parenthesis is never closed"},
      {"X_0", "line 6, column 1: expected a command"},
      {"(", "unknown command end of file"},
      {std::string("(\0\x80\xff", 4), "unknown command '\\x00\\x80\\xff'"},
  };
  for (const auto& [text, message] : cases) {
    const absl::Status status = Read(kHead + text);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find(message), absl::string_view::npos) << text << "\n" << status;
    EXPECT_EQ(status.message().substr(0, 5), "line ") << text << "\n" << status;
  }
}

TEST(VnnlibErrorsTest, LogicBeyondAndOrIsUnimplemented) {
  for (const char* text :
       {"(vnnlib-version <2.0>)", "(assert (not (<= Y_0 1)))", "(assert (=> true false))"}) {
    EXPECT_EQ(Read(absl::StrCat(kHead, text)).code(), absl::StatusCode::kUnimplemented) << text;
  }
}

TEST(VnnlibErrorsTest, UseBeforeDeclaration) {
  const absl::Status status = ReadVnnlib("(assert (<= Y_0 1))", 1, 1).status();
  EXPECT_EQ(status, absl::InvalidArgumentError("line 1, column 13: 'Y_0' is not declared"));
}

TEST(VnnlibErrorsTest, OtherSizesThanTheNetwork) {
  const absl::Status status = ReadVnnlib(kHead, 3, 2).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("declares 1 inputs and 2 outputs, the network has 3 and 2"),
            absl::string_view::npos)
      << status;
  EXPECT_FALSE(ReadVnnlib(kHead, 1, 10).ok());
  EXPECT_FALSE(ReadVnnlib(kHead, -1, 2).ok());
  EXPECT_FALSE(ReadVnnlib(kHead, int64_t{1} << 40, 2).ok());
}

TEST(VnnlibErrorsTest, EveryTruncationIsAnErrorOrAProperty) {
  const std::string text =
      kHead + std::string("(assert (or (and (<= Y_0 1e-3) (>= (* 2 X_0) 0.5)) (< Y_1 Y_0)))\n");
  ASSERT_TRUE(Read(text).ok());
  for (size_t length = 0; length < text.size(); ++length) {
    const absl::Status status = Read(text.substr(0, length));
    EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << length << " " << status;
  }
}

TEST(VnnlibErrorsTest, NestedToDeath) {
  const int depth = 100'000;
  for (const char* piece : {"(and ", "(or ", "(<= (+ ", "("}) {
    EXPECT_FALSE(Read(absl::StrCat(kHead, "(assert ", Repeat(piece, depth))).ok()) << piece;
    EXPECT_FALSE(Read(Repeat(piece, depth)).ok()) << piece;
  }
  const absl::Status status =
      Read(absl::StrCat(kHead, "(assert ", Repeat("(and ", depth), "(<= Y_0 1)", Repeat(")", depth), ")"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("nest deeper than 10000"), absl::string_view::npos);
  EXPECT_FALSE(Read(kHead + Repeat(")", depth)).ok());
  EXPECT_TRUE(Read(absl::StrCat(kHead, "(check-sat ", Repeat("(", depth), Repeat(")", depth), ")")).ok());
}

TEST(VnnlibErrorsTest, NestingWithinTheLimitIsRead) {
  const int depth = 9'000;
  EXPECT_TRUE(Read(absl::StrCat(kHead, "(assert ", Repeat("(or (and ", depth / 2), "(<= Y_0 1)",
                                Repeat("))", depth / 2), ")"))
                  .ok());
  EXPECT_TRUE(
      Read(absl::StrCat(kHead, "(assert (<= ", Repeat("(+ Y_0 ", depth), "1", Repeat(")", depth), " 1))"))
          .ok());
}

TEST(VnnlibErrorsTest, Oversized) {
  VnnlibLimits limits;
  limits.bytes = 100;
  EXPECT_EQ(ReadVnnlib(kHead, 1, 2, limits).status().code(), absl::StatusCode::kResourceExhausted);
  // A long sum scaled again and again is quadratic; it is cut off instead of running for minutes.
  const std::string sum = Repeat("Y_0 Y_1 ", 200'000);
  const std::string text = absl::StrCat(kHead, "(assert (<= ", Repeat("(* 1 ", 9'000), "(+ ", sum, ")",
                                        Repeat(")", 9'000), " 1))");
  EXPECT_EQ(Read(text).code(), absl::StatusCode::kResourceExhausted);
}

TEST(VnnlibErrorsTest, LongTokensAreCutInMessages) {
  const absl::Status status = Read(absl::StrCat(kHead, "(assert (<= ", std::string(1'000'000, 'q'), " 1))"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_LT(status.message().size(), 200u);
}

}  // namespace
}  // namespace espalier::formats
