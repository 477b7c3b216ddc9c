#include "server/address.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/unit/server/scratch_folder.h"

namespace espalier::server {
namespace {

int Listen(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  EXPECT_EQ(listen(fd, 1000), 0);
  return fd;
}

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

TEST(Address, ASocketWithoutAServerIsFree) {
  const ScratchFolder folder;
  EXPECT_TRUE(CheckNotServed("unix:" + folder.Path("never")).ok());
  close(Listen(folder.Path("left")));
  EXPECT_TRUE(CheckNotServed("unix:" + folder.Path("left")).ok());
  EXPECT_TRUE(CheckNotServed("127.0.0.1:1").ok());
}

TEST(Address, AnotherServersSocketIsTaken) {
  const ScratchFolder folder;
  const int fd = Listen(folder.Path("socket"));
  const absl::Status status = CheckNotServed("unix:" + folder.Path("socket"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(folder.Path("socket")), std::string::npos) << status;
  close(fd);
}

TEST(Address, ASocketWhoseServerIsGoingIsWaitedFor) {
  const ScratchFolder folder;
  const int fd = Listen(folder.Path("socket"));
  std::thread going([fd] {
    absl::SleepFor(absl::Milliseconds(100));
    close(fd);
  });
  EXPECT_TRUE(CheckNotServed("unix:" + folder.Path("socket")).ok());
  going.join();
}

}  // namespace
}  // namespace espalier::server
