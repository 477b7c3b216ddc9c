#include "server/blob_store.h"

#include <gtest/gtest.h>

namespace espalier::server {
namespace {

TEST(BlobStore, AddingTwiceGivesTheSameBlob) {
  MemoryBlobStore store(10);
  const auto first = store.Add("a", "1234");
  const auto second = store.Add("a", "1234");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(store.bytes_held(), 4);
}

TEST(BlobStore, TheLeastRecentlyUsedLeavesFirst) {
  MemoryBlobStore store(10);
  ASSERT_TRUE(store.Add("a", "1234").ok());
  ASSERT_TRUE(store.Add("b", "1234").ok());
  EXPECT_NE(store.Find("a"), nullptr);
  ASSERT_TRUE(store.Add("c", "1234").ok());
  EXPECT_NE(store.Find("a"), nullptr);
  EXPECT_EQ(store.Find("b"), nullptr);
  EXPECT_NE(store.Find("c"), nullptr);
}

TEST(BlobStore, ABlobInUseStays) {
  MemoryBlobStore store(10);
  const BlobPtr held = *store.Add("a", "123456");
  EXPECT_EQ(store.Add("b", "123456").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(store.Find("a"), held);
  EXPECT_TRUE(store.Add("c", "1234").ok());
}

TEST(BlobStore, ReservationsCountUntilTheyEnd) {
  MemoryBlobStore store(10);
  {
    auto reservation = store.Reserve(8);
    ASSERT_TRUE(reservation.ok());
    BlobStore::Reservation moved = *std::move(reservation);
    EXPECT_FALSE(store.Reserve(3).ok());
    EXPECT_FALSE(store.Add("a", "123").ok());
  }
  EXPECT_TRUE(store.Add("a", "123").ok());
}

}  // namespace
}  // namespace espalier::server
