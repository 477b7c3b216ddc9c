#include "client/batch/journal.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "client/file_bytes.h"
#include "tests/unit/client/batch_samples.h"

namespace espalier::client {
namespace {

class JournalFile : public testing::Test {
 protected:
  JournalFile() { std::filesystem::remove(path_); }
  ~JournalFile() override { std::filesystem::remove(path_); }
  void Fill(int records) {
    const auto journal = Journal::Open(path_, "seed=1", false);
    ASSERT_TRUE(journal.ok()) << journal.status();
    for (int i = 0; i < records; ++i)
      ASSERT_TRUE((*journal)->Append(SampleRecord("unsat", i, std::to_string(i))).ok());
  }
  const std::string path_ = testing::TempDir() + "journal_" + std::to_string(getpid());
};

TEST_F(JournalFile, EveryRecordComesBackWhole) {
  Fill(2);
  const auto journal = Journal::Open(path_, "seed=1", false);
  ASSERT_TRUE(journal.ok()) << journal.status();
  const std::vector<InstanceRecord> records = (*journal)->TakeRecords();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(RecordLine(records[1]), RecordLine(SampleRecord("unsat", 1, "1")));
}

// A kill can stop a write at any byte.
TEST_F(JournalFile, AHalfWrittenLineIsCutOffWhereverItEnds) {
  Fill(2);
  const std::string whole = *ReadFileBytes(path_);
  const size_t head = whole.find('\n') + 1, first = whole.find('\n', head) + 1;
  for (size_t length = 0; length < whole.size(); length += 5) {
    ASSERT_TRUE(WriteFileBytes(path_, whole.substr(0, length)).ok());
    const auto journal = Journal::Open(path_, "seed=1", false);
    ASSERT_TRUE(journal.ok()) << length << ": " << journal.status();
    EXPECT_EQ((*journal)->TakeRecords().size(), length >= first ? 1U : 0U) << length;
    ASSERT_TRUE((*journal)->Append(SampleRecord("sat", 1)).ok());
    const std::string after = *ReadFileBytes(path_);
    EXPECT_EQ(after.rfind(whole.substr(0, head), 0), 0U) << length;
    EXPECT_EQ(after.back(), '\n');
  }
}

TEST_F(JournalFile, OtherOptionsOrAnotherFileAreRefused) {
  Fill(1);
  const absl::Status other = Journal::Open(path_, "seed=2", false).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition) << other;
  EXPECT_NE(other.message().find("seed=1"), std::string::npos);
  EXPECT_TRUE((*Journal::Open(path_, "seed=2", true))->TakeRecords().empty()) << "restart";
  ASSERT_TRUE(WriteFileBytes(path_, "hello\n").ok());
  EXPECT_FALSE(Journal::Open(path_, "seed=1", false).ok());
  EXPECT_EQ(*ReadFileBytes(path_), "hello\n") << "a file of somebody else is left alone";
}

TEST_F(JournalFile, ADamagedLineIsNamed) {
  Fill(2);
  std::string text = *ReadFileBytes(path_);
  text[text.find("unsat")] = '"';
  ASSERT_TRUE(WriteFileBytes(path_, text).ok());
  const absl::Status damaged = Journal::Open(path_, "seed=1", false).status();
  EXPECT_NE(damaged.message().find("line 2"), std::string::npos) << damaged;
}

TEST_F(JournalFile, OneProcessAtATimeHoldsIt) {
  const auto first = Journal::Open(path_, "", false);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Journal::Open(path_, "", false).status().code(), absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace espalier::client
