#include "server/jobs/disk_blob_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "proto/digest.h"
#include "server/jobs/data_directory.h"
#include "tests/unit/server/scratch_folder.h"

namespace espalier::server {
namespace {

// Bytes that start with `name`, and their digest.
struct File {
  explicit File(const std::string& name, size_t size = 400) : bytes(name) {
    bytes.resize(size, '.');
    sha256 = proto::Sha256Hex(bytes);
  }
  std::string bytes, sha256;
};

class DiskBlobStoreTest : public testing::Test {
 protected:
  void Open(int64_t quota = 1000) {
    store_.reset();
    directory_.reset();
    auto directory = DataDirectory::Open(folder_.Path("data"));
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
    auto store = DiskBlobStore::Open(directory_->database(), directory_->blobs(), quota);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void SetUp() override { Open(); }
  absl::StatusOr<BlobPtr> Add(const File& file, v1::BlobKind kind = v1::BLOB_KIND_ONNX_MODEL) {
    return store_->Add(file.sha256, file.bytes, kind);
  }
  std::string PathOf(const File& file) const { return folder_.Path("data/blobs/" + file.sha256); }

  ScratchFolder folder_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<DiskBlobStore> store_;
};

TEST_F(DiskBlobStoreTest, FindsWhatAnEarlierProcessStored) {
  const File file("a");
  ASSERT_TRUE(Add(file).ok());
  Open();
  const BlobPtr found = store_->Find(file.sha256);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->bytes, file.bytes);
  EXPECT_EQ(store_->bytes_held(), 400);
  EXPECT_EQ(store_->Find(File("b").sha256), nullptr);
}

TEST_F(DiskBlobStoreTest, TheLeastRecentlyUsedLeavesFirst) {
  const File a("a"), b("b"), c("c");
  ASSERT_TRUE(Add(a).ok() && Add(b).ok());
  store_->Find(a.sha256);
  ASSERT_TRUE(Add(c).ok());
  EXPECT_NE(store_->Find(a.sha256), nullptr);
  EXPECT_EQ(store_->Find(b.sha256), nullptr);
  EXPECT_FALSE(std::filesystem::exists(PathOf(b)));
  EXPECT_EQ(store_->bytes_held(), 800);
}

TEST_F(DiskBlobStoreTest, WhatIsPinnedOrHeldStays) {
  const File a("a"), b("b"), c("c");
  ASSERT_TRUE(Add(a).ok() && Add(b).ok());
  BlobPin pin = store_->Pin(a.sha256);
  BlobPtr held = store_->Find(b.sha256);
  EXPECT_EQ(pin.size, 400);
  EXPECT_EQ(Add(c).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(store_->Find(a.sha256), nullptr);
  pin = {};
  EXPECT_TRUE(Add(c).ok());
  EXPECT_EQ(store_->Find(a.sha256), nullptr);
  EXPECT_NE(store_->Find(b.sha256), nullptr);
}

TEST_F(DiskBlobStoreTest, ReservationsCountUntilTheyEnd) {
  {
    auto reservation = store_->Reserve(900);
    ASSERT_TRUE(reservation.ok());
    EXPECT_FALSE(Add(File("a")).ok());
  }
  EXPECT_TRUE(Add(File("a")).ok());
}

TEST_F(DiskBlobStoreTest, ClearsUpAfterAProcessThatWasKilled) {
  const File whole("whole"), lost("lost");
  ASSERT_TRUE(Add(lost).ok());
  std::filesystem::remove(PathOf(lost));  // in the index, but not in the folder
  std::ofstream(PathOf(whole), std::ios::binary)
      << whole.bytes;  // renamed into place, but not yet in the index
  std::ofstream(PathOf(whole) + ".1.part") << "half";
  Open();
  EXPECT_EQ(store_->Find(lost.sha256), nullptr);
  ASSERT_NE(store_->Find(whole.sha256), nullptr);
  EXPECT_EQ(store_->bytes_held(), 400);
  EXPECT_FALSE(std::filesystem::exists(PathOf(whole) + ".1.part"));
}

TEST_F(DiskBlobStoreTest, AFileThatChangedOnDiskIsNotGivenOut) {
  const File file("a");
  ASSERT_TRUE(Add(file).ok());
  Open();
  std::string other = file.bytes;
  other[10] = 'x';
  std::ofstream(PathOf(file), std::ios::binary) << other;
  EXPECT_EQ(store_->Find(file.sha256), nullptr);
  EXPECT_EQ(store_->bytes_held(), 0);
  EXPECT_TRUE(Add(file).ok()) << "and can be stored again";
}

TEST_F(DiskBlobStoreTest, OneServerAtATimeUsesTheFolder) {
  EXPECT_EQ(DataDirectory::Open(folder_.Path("data")).status().code(), absl::StatusCode::kFailedPrecondition);
  store_.reset();
  directory_.reset();
  EXPECT_TRUE(DataDirectory::Open(folder_.Path("data")).ok());
}

TEST_F(DiskBlobStoreTest, OthersCannotReadTheFolder) {
  using std::filesystem::perms;
  for (const char* name : {"data", "data/blobs", "data/espalier.db"}) {
    const perms rights = std::filesystem::status(folder_.Path(name)).permissions();
    EXPECT_EQ(rights & (perms::group_all | perms::others_all), perms::none) << name;
  }
}

TEST_F(DiskBlobStoreTest, AFolderOfAnEarlierVersionLearnsWhatItsFilesAre) {
  const File file("a");
  ASSERT_TRUE(Add(file).ok());
  {
    // The table as version 0.1.0 made it.
    Database::Session session(directory_->database());
    Statement(session, "ALTER TABLE blobs DROP COLUMN kind").Run();
    Statement(session, "ALTER TABLE blobs DROP COLUMN added_s").Run();
    ASSERT_TRUE(session.Commit().ok());
  }
  Open();
  EXPECT_TRUE(store_->List(v1::BLOB_KIND_ONNX_MODEL, "", 9).empty());
  store_->NoteKind(file.sha256, v1::BLOB_KIND_ONNX_MODEL);
  Open();
  const std::vector<BlobInfo> found = store_->List(v1::BLOB_KIND_ONNX_MODEL, "", 9);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].sha256, file.sha256);
  EXPECT_EQ(found[0].added_s, 0);
}

TEST_F(DiskBlobStoreTest, WhatIsRemovedIsGoneFromDiskAndMemory) {
  const File file("a", 10);  // small enough to stay in memory as well
  ASSERT_TRUE(Add(file).ok());
  {
    const BlobPin pin = store_->Pin(file.sha256);
    EXPECT_EQ(store_->Remove(file.sha256).status().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(store_->Remove(file.sha256).value(), 10);
  EXPECT_EQ(store_->Find(file.sha256), nullptr);
  EXPECT_FALSE(std::filesystem::exists(PathOf(file)));
  Open();
  EXPECT_EQ(store_->bytes_held(), 0);
}

}  // namespace
}  // namespace espalier::server
