#include "client/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/test_files.h"

namespace espalier::client {
namespace {

using test_support::ReadFile;

class AtomicFile : public testing::Test {
 protected:
  AtomicFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "espalier_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~AtomicFile() override { std::filesystem::remove_all(folder_); }

  size_t FileCount() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
};

TEST_F(AtomicFile, ReplacesAndLeavesNothingBeside) {
  const std::string path = folder_ / "a";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  ASSERT_TRUE(CheckWritable(path).ok());
  EXPECT_EQ(ReadFile(path), "old");
  ASSERT_TRUE(WriteFileAtomically(path, std::string(1 << 20, 'x')).ok());
  EXPECT_EQ(ReadFile(path).size(), size_t{1} << 20);
  EXPECT_EQ(FileCount(), 1U);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0600, 0600U);
}

TEST_F(AtomicFile, AFailureNamesTheFileAndKeepsTheOldOne) {
  const absl::Status missing = WriteFileAtomically(folder_ / "no" / "a", "x");
  EXPECT_NE(missing.message().find("/no/a"), std::string::npos) << missing;
  EXPECT_FALSE(CheckWritable(folder_ / "no" / "a").ok());
  std::filesystem::create_directory(folder_ / "b");
  EXPECT_FALSE(WriteFileAtomically(folder_ / "b", "x").ok()) << "a directory";
  EXPECT_TRUE(std::filesystem::is_directory(folder_ / "b"));
}

TEST_F(AtomicFile, ASymbolicLinkStaysOne) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "target", "old").ok());
  std::filesystem::create_symlink(folder_ / "target", folder_ / "link");
  ASSERT_TRUE(WriteFileAtomically(folder_ / "link", "new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  EXPECT_EQ(ReadFile(folder_ / "target"), "new");
}

TEST_F(AtomicFile, ADeviceIsWrittenInPlaceAndAFullDiskIsAnError) {
  std::filesystem::create_symlink("/dev/full", folder_ / "full");
  const absl::Status full = WriteFileAtomically(folder_ / "full", "x");
  EXPECT_NE(full.message().find("No space left"), std::string::npos) << full;
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

}  // namespace
}  // namespace espalier::client
