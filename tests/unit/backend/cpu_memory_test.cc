#include "verifier/backend/cpu_memory.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace espalier::backend {
namespace {

TEST(CpuMemoryTest, BlocksAreAlignedAndRecycled) {
  CpuMemory memory(0);
  const auto first = memory.Allocate(1000);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(*first) % 64, 0u);
  EXPECT_GE(memory.in_use(), 1000);
  EXPECT_LE(memory.in_use(), 1250);
  memory.Free(*first, 1000);
  EXPECT_EQ(memory.in_use(), 0);
  const auto again = memory.Allocate(1000);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, *first);
  memory.Free(*again, 1000);
}

TEST(CpuMemoryTest, RecycledBlocksMakeRoomWhenTheBudgetIsShort) {
  CpuMemory memory(12000);
  const auto block = memory.Allocate(6000);
  ASSERT_TRUE(block.ok());
  EXPECT_EQ(memory.Allocate(6000).status().code(), absl::StatusCode::kResourceExhausted);
  memory.Free(*block, 6000);
  const auto other = memory.Allocate(9000);  // of another size class
  ASSERT_TRUE(other.ok()) << other.status();
  memory.Free(*other, 9000);
}

TEST(CpuMemoryTest, TheMessageNamesTheShortage) {
  CpuMemory memory(1000);
  const auto refused = memory.Allocate(5000);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("of 1000 bytes"), std::string::npos) << refused.status();
}

}  // namespace
}  // namespace espalier::backend
