#include "client/credentials.h"

#include <gtest/gtest.h>

namespace espalier::client {
namespace {

TEST(Credentials, VersionsOfOneSeriesFit) {
  EXPECT_EQ(SkewWarning("0.1.0", "0.1.7"), "");
  EXPECT_EQ(SkewWarning("0.1.0", ""), "");  // it did not say
  EXPECT_NE(SkewWarning("0.1.0", "0.2.0").find("espalierd 0.2.0"), std::string::npos);
  EXPECT_NE(SkewWarning("1.1.0", "0.1.0"), "");
}

TEST(Credentials, AnyFileTurnsTlsOn) {
  EXPECT_FALSE(Credentials().uses_tls());
  EXPECT_FALSE(Credentials{.token_file = "token"}.uses_tls());
  EXPECT_TRUE(Credentials{.tls_ca = "ca.pem"}.uses_tls());
  EXPECT_TRUE(Credentials{.tls = true}.uses_tls());
}

TEST(Credentials, FilesThatAreMissingAreNamed) {
  const auto channel = OpenChannel("127.0.0.1:1", {.token_file = "/nowhere/token"}, {});
  ASSERT_FALSE(channel.ok());
  EXPECT_NE(channel.status().message().find("/nowhere/token"), std::string::npos);
}

}  // namespace
}  // namespace espalier::client
