#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/flood/call_limits.h"
#include "server/flood/open_connections.h"

namespace espalier::server {
namespace {

HeldCalls By(const std::string& name, int64_t calls) {
  return {{.local = "", .remote = name}, calls};
}

std::string Names(const std::vector<HeldCalls>& held) {
  std::string names;
  for (const HeldCalls& one : held) names += one.connection.remote;
  return names;
}

TEST(CallLimits, WhoIsAboveTheLimitOfOneGoes) {
  EXPECT_EQ(Names(TooMany({By("a", 10), By("b", 12), By("c", 11), By("d", 0)}, {10, 1000})), "bc");
  EXPECT_EQ(Names(TooMany({}, {10, 1000})), "");
}

TEST(CallLimits, TheLargestGoUntilTheRestIsWithinTheLimitOfAll) {
  EXPECT_EQ(Names(TooMany({By("a", 3), By("b", 5), By("c", 4), By("d", 1)}, {10, 8})), "b");
  EXPECT_EQ(Names(TooMany({By("a", 3), By("b", 5), By("c", 4), By("d", 1)}, {10, 7})), "bc");
  EXPECT_EQ(Names(TooMany({By("a", 30), By("b", 5)}, {10, 8})), "a");
}

TEST(OpenConnections, WritesAddressesAsPeopleDo) {
  in_addr four{};
  in6_addr six{}, mapped{};
  inet_pton(AF_INET, "192.0.2.1", &four);
  inet_pton(AF_INET6, "2001:db8::1", &six);
  inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped);
  EXPECT_EQ(AddressText(AF_INET, &four, 80), "192.0.2.1:80");
  EXPECT_EQ(AddressText(AF_INET6, &six, 80), "[2001:db8::1]:80");
  EXPECT_EQ(AddressText(AF_INET6, &mapped, 80), "192.0.2.1:80");
}

int Port(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// A connection of this process with itself.
class OpenConnectionsTest : public testing::Test {
 protected:
  void SetUp() override {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(listening_, 1), 0);
    address.sin_port = htons(static_cast<uint16_t>(Port(listening_)));
    ASSERT_EQ(connect(client_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    server_ = accept(listening_, nullptr, nullptr);
    ASSERT_GE(server_, 0);
    connection_ = {.local = "127.0.0.1:" + std::to_string(Port(listening_)),
                   .remote = "127.0.0.1:" + std::to_string(Port(client_))};
  }
  void TearDown() override {
    for (const int file : {listening_, client_, server_}) close(file);
  }

  const int listening_ = socket(AF_INET, SOCK_STREAM, 0), client_ = socket(AF_INET, SOCK_STREAM, 0);
  int server_ = -1;
  Connection connection_;
};

TEST_F(OpenConnectionsTest, HangingUpThrowsAwayWhatHasArrived) {
  ASSERT_EQ(write(client_, "abc", 3), 3);
  const OpenConnections open;
  EXPECT_TRUE(open.Has(connection_));
  EXPECT_TRUE(open.HangUp(connection_));
  char byte = 0;
  EXPECT_LE(recv(server_, &byte, 1, MSG_DONTWAIT), 0);
  EXPECT_EQ(recv(client_, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(OpenConnectionsTest, AnotherConnectionUnderTheSameNumberIsLeftAlone) {
  const OpenConnections open;
  const int kept = dup(server_);
  ASSERT_EQ(dup2(client_, server_), server_);
  EXPECT_FALSE(open.HangUp(connection_));
  EXPECT_EQ(send(client_, "abc", 3, MSG_NOSIGNAL), 3);
  close(kept);
}

TEST_F(OpenConnectionsTest, KnowsNothingOfConnectionsThatHaveGone) {
  close(server_);
  const OpenConnections open;
  EXPECT_FALSE(open.Has(connection_));
  EXPECT_FALSE(open.HangUp(connection_));
  server_ = dup(client_);
}

}  // namespace
}  // namespace espalier::server
