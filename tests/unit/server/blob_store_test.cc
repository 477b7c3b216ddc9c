#include "server/blob_store.h"

#include <gtest/gtest.h>

namespace espalier::server {
namespace {

constexpr v1::BlobKind kModel = v1::BLOB_KIND_ONNX_MODEL;

TEST(BlobStore, AddingTwiceGivesTheSameBlob) {
  MemoryBlobStore store(10);
  const auto first = store.Add("a", "1234", kModel);
  const auto second = store.Add("a", "1234", kModel);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(store.bytes_held(), 4);
}

TEST(BlobStore, TheLeastRecentlyUsedLeavesFirst) {
  MemoryBlobStore store(10);
  ASSERT_TRUE(store.Add("a", "1234", kModel).ok());
  ASSERT_TRUE(store.Add("b", "1234", kModel).ok());
  EXPECT_NE(store.Find("a"), nullptr);
  ASSERT_TRUE(store.Add("c", "1234", kModel).ok());
  EXPECT_NE(store.Find("a"), nullptr);
  EXPECT_EQ(store.Find("b"), nullptr);
  EXPECT_NE(store.Find("c"), nullptr);
}

TEST(BlobStore, ABlobInUseStays) {
  MemoryBlobStore store(10);
  const BlobPtr held = *store.Add("a", "123456", kModel);
  EXPECT_EQ(store.Add("b", "123456", kModel).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(store.Find("a"), held);
  EXPECT_TRUE(store.Add("c", "1234", kModel).ok());
}

TEST(BlobStore, ReservationsCountUntilTheyEnd) {
  MemoryBlobStore store(10);
  {
    auto reservation = store.Reserve(8);
    ASSERT_TRUE(reservation.ok());
    BlobStore::Reservation moved = *std::move(reservation);
    EXPECT_FALSE(store.Reserve(3).ok());
    EXPECT_FALSE(store.Add("a", "123", kModel).ok());
  }
  EXPECT_TRUE(store.Add("a", "123", kModel).ok());
}

TEST(BlobStore, ListsAKindByDigestAndRemovesWhatIsNotInUse) {
  MemoryBlobStore store(100);
  ASSERT_TRUE(store.Add("b", "12", kModel).ok());
  ASSERT_TRUE(store.Add("a", "1", v1::BLOB_KIND_UNSPECIFIED).ok());
  ASSERT_TRUE(store.Add("c", "123", v1::BLOB_KIND_VNNLIB_QUERY).ok());
  EXPECT_EQ(store.List(kModel, "", 9).size(), 1U);
  store.NoteKind("a", kModel);
  store.NoteKind("c", kModel);  // it is known to be something else
  const std::vector<BlobInfo> all = store.List(kModel, "", 9);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].sha256, "a");
  EXPECT_EQ(store.List(kModel, "", 1).size(), 1U);
  ASSERT_EQ(store.List(kModel, "a", 1).size(), 1U);
  EXPECT_EQ(store.List(kModel, "a", 1)[0].sha256, "b");
  {
    const BlobPin pin = store.Pin("b");
    EXPECT_TRUE(store.Look("b")->in_use);
    EXPECT_EQ(store.Remove("b").status().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(store.Remove("b").value(), 2);
  EXPECT_EQ(store.Remove("b").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(store.Look("b").has_value());
  EXPECT_EQ(store.bytes_held(), 4);
}

}  // namespace
}  // namespace espalier::server
