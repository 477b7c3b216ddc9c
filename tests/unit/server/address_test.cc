#include "server/address.h"

#include <gtest/gtest.h>

namespace espalier::server {
namespace {

TEST(Address, LoopbackAndSocketsAreAllowed) {
  for (const char* address : {"127.0.0.1:50551", "127.8.9.10:0", "localhost:1", "[::1]:1", "unix:/tmp/s"}) {
    EXPECT_TRUE(CheckListenAddress(address, false).ok()) << address;
  }
}

TEST(Address, OthersNeedTheFlag) {
  for (const char* address :
       {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "127.0.0.1.example.org:1", "127.0.0:1", "example:1"}) {
    EXPECT_FALSE(CheckListenAddress(address, false).ok()) << address;
    EXPECT_TRUE(CheckListenAddress(address, true).ok()) << address;
  }
}

TEST(Address, MalformedOnesAreRefusedAlways) {
  for (const std::string& address :
       {std::string(""), std::string("127.0.0.1"), std::string("127.0.0.1:99999"), std::string("127.0.0.1:x"),
        std::string("unix:"), "unix:/" + std::string(200, 'a')}) {
    EXPECT_FALSE(CheckListenAddress(address, true).ok()) << address;
  }
}

}  // namespace
}  // namespace espalier::server
