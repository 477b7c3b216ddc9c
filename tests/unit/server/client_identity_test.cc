#include "server/client_identity.h"

#include <gtest/gtest.h>

namespace espalier::server {
namespace {

TEST(ClientIdentity, IsTheAddressWithoutThePort) {
  EXPECT_EQ(ClientOfPeer("ipv4:127.0.0.1:50321"), "127.0.0.1");
  EXPECT_EQ(ClientOfPeer("ipv6:%5B2001:db8::1%5D:443"), "[2001:db8::1]");
  EXPECT_EQ(ClientOfPeer("unix:/tmp/socket"), "unix");
  EXPECT_EQ(ClientOfPeer("unix:"), "unix");
}

}  // namespace
}  // namespace espalier::server
