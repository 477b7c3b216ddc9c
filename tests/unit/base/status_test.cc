#include "verifier/base/status.h"

#include <gtest/gtest.h>

#include <memory>

namespace espalier {
namespace {

absl::StatusOr<std::unique_ptr<int>> Boxed(int value) {
  if (value < 0) return absl::OutOfRangeError("negative");
  return std::make_unique<int>(value);
}

absl::Status AddBoth(int a, int b, int& sum) {
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<int> left, Boxed(a));
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<int> right, Boxed(b));
  sum = *left + *right;
  return absl::OkStatus();
}

absl::Status Twice(int a, int b, int& sum, int& runs) {
  ESPALIER_RETURN_IF_ERROR(AddBoth(a, b, sum));
  ++runs;
  return absl::OkStatus();
}

TEST(StatusMacrosTest, PassValuesOnEvenIfTheyCanOnlyMove) {
  int sum = 0, runs = 0;
  EXPECT_TRUE(Twice(2, 3, sum, runs).ok());
  EXPECT_EQ(sum, 5);
  EXPECT_EQ(runs, 1);
}

TEST(StatusMacrosTest, ReturnTheFirstErrorAtOnce) {
  int sum = 0, runs = 0;
  EXPECT_EQ(Twice(2, -3, sum, runs), absl::OutOfRangeError("negative"));
  EXPECT_EQ(sum, 0);
  EXPECT_EQ(runs, 0);
}

}  // namespace
}  // namespace espalier
