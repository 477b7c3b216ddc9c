#include "client/batch/shard.h"

#include <gtest/gtest.h>

namespace espalier::client {
namespace {

TEST(Shard, EveryInstanceIsInExactlyOne) {
  for (size_t count : {1, 2, 3, 7}) {
    for (size_t instance = 0; instance < 20; ++instance) {
      int owners = 0;
      for (size_t index = 1; index <= count; ++index) owners += Shard{index, count}.Has(instance);
      EXPECT_EQ(owners, 1) << instance << " of " << count;
    }
  }
}

TEST(Shard, IsWrittenAsOneOfMany) {
  const absl::StatusOr<Shard> shard = ParseShard("2/3");
  ASSERT_TRUE(shard.ok());
  EXPECT_TRUE(shard->Has(1));
  EXPECT_TRUE(shard->Has(4));
  EXPECT_FALSE(shard->Has(2));
  for (const char* wrong : {"", "1", "0/3", "4/3", "1/0", "-1/3", "1/2/3", "a/3", "1/"})
    EXPECT_EQ(ParseShard(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
}

}  // namespace
}  // namespace espalier::client
