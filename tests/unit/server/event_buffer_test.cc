#include "server/event_buffer.h"

#include <gtest/gtest.h>

namespace espalier::server {
namespace {

const absl::Time kStart = absl::UnixEpoch();

v1::Progress ProgressAt(double seconds) {
  v1::Progress progress;
  progress.set_seconds(seconds);
  return progress;
}

TEST(EventBuffer, NothingLeavesBeforeAccepted) {
  EventBuffer buffer;
  buffer.Push(ProgressAt(1));
  buffer.PushResult({});
  EXPECT_FALSE(buffer.Next(kStart).has_value());
  buffer.Accept({});
  EXPECT_TRUE(buffer.Next(kStart)->has_accepted());
  EXPECT_TRUE(buffer.Next(kStart)->has_result());
  EXPECT_FALSE(buffer.Next(kStart).has_value());
}

TEST(EventBuffer, OnlyTheNewestProgressAndAtMostFiveTimesASecond) {
  EventBuffer buffer;
  buffer.Accept({});
  buffer.Next(kStart);
  int sent = 0;
  double last = 0;
  for (int ms = 0; ms < 1000; ++ms) {
    buffer.Push(ProgressAt(ms));
    if (const auto event = buffer.Next(kStart + absl::Milliseconds(ms))) {
      ++sent;
      last = event->progress().seconds();
    }
  }
  EXPECT_EQ(sent, 5);
  EXPECT_EQ(last, 800);
}

TEST(EventBuffer, RefutedPartsAreMergedAndNeverLost) {
  EventBuffer buffer;
  buffer.Accept({});
  buffer.Next(kStart);
  buffer.Push(ProgressAt(0));
  buffer.Next(kStart);
  buffer.PushRefuted(3);
  buffer.PushRefuted(1);
  EXPECT_FALSE(buffer.Next(kStart).has_value()) << "not due yet";
  buffer.PushResult({});
  const auto refuted = buffer.Next(kStart);
  ASSERT_TRUE(refuted->has_refuted());
  EXPECT_EQ(refuted->refuted().index_size(), 2);
  EXPECT_EQ(refuted->refuted().index(0), 3);
  EXPECT_TRUE(buffer.Next(kStart)->has_result());
}

}  // namespace
}  // namespace espalier::server
