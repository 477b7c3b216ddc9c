#include "server/worker/message_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <thread>

#include "espalier/v1/worker.pb.h"

namespace espalier::server {
namespace {

class MessageSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    raw_ = ends[0];
    left_ = std::make_unique<MessageSocket>(ends[0]);
    right_ = std::make_unique<MessageSocket>(ends[1]);
  }
  int raw_ = -1;
  std::unique_ptr<MessageSocket> left_, right_;
  v1::WorkerInput message_;
};

TEST_F(MessageSocketTest, CarriesMessagesOfAnySizeInOrder) {
  std::thread sender([this] {
    for (const size_t size : {size_t{0}, size_t{5}, size_t{3} << 20}) {
      v1::WorkerInput input;
      input.mutable_part()->set_bytes(std::string(size, 'x'));
      EXPECT_TRUE(left_->Send(input));
    }
  });
  for (const size_t size : {size_t{0}, size_t{5}, size_t{3} << 20}) {
    ASSERT_EQ(right_->Receive(message_, absl::Seconds(100)), MessageSocket::Received::kMessage);
    EXPECT_EQ(message_.part().bytes().size(), size);
  }
  sender.join();
  EXPECT_EQ(right_->Receive(message_, absl::Milliseconds(1)), MessageSocket::Received::kNothingYet);
}

TEST_F(MessageSocketTest, SaysWhenTheOtherSideHasGone) {
  left_.reset();
  EXPECT_EQ(right_->Receive(message_, absl::Seconds(100)), MessageSocket::Received::kClosed);
  v1::WorkerInput input;
  input.mutable_part()->set_bytes("x");
  EXPECT_FALSE(right_->Send(input));
}

TEST_F(MessageSocketTest, RefusesHalfAMessageAndGarbage) {
  const std::string half("\x08\x00\x00\x00half", 8);
  ASSERT_EQ(write(raw_, half.data(), half.size()), 8);
  left_.reset();
  EXPECT_EQ(right_->Receive(message_, absl::Seconds(100)), MessageSocket::Received::kClosed);
  SetUp();
  const std::string huge("\xff\xff\xff\xff", 4);
  ASSERT_EQ(write(raw_, huge.data(), huge.size()), 4);
  EXPECT_EQ(right_->Receive(message_, absl::Seconds(100)), MessageSocket::Received::kClosed);
  SetUp();
  const std::string garbage("\x04\x00\x00\x00\xff\xff\xff\xff", 8);
  ASSERT_EQ(write(raw_, garbage.data(), garbage.size()), 8);
  EXPECT_EQ(right_->Receive(message_, absl::Seconds(100)), MessageSocket::Received::kClosed);
}

}  // namespace
}  // namespace espalier::server
