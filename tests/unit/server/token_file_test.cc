#include "server/security/token_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "proto/digest.h"
#include "tests/unit/server/scratch_folder.h"

namespace espalier::server {
namespace {

constexpr const char* kToken = "0123456789abcdef";

TEST(TokenFile, FindsClientsByTokenDigestAndCertificate) {
  const std::string hashed = proto::Sha256Hex("another-token-of-mine");
  const auto file = TokenFile::Parse("# who\n\n alice\tverify " + std::string(kToken) +
                                     "\r\nci admin sha256:" + hashed + "\nroot admin certificate\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->size(), 3U);
  ASSERT_TRUE(file->FindToken(kToken).has_value());
  EXPECT_EQ(file->FindToken(kToken)->name, "alice");
  EXPECT_FALSE(file->FindToken(kToken)->admin);
  ASSERT_TRUE(file->FindToken("another-token-of-mine").has_value());
  EXPECT_TRUE(file->FindToken("another-token-of-mine")->admin);
  EXPECT_FALSE(file->FindToken(hashed).has_value());  // the digest is no token
  EXPECT_FALSE(file->FindToken("certificate").has_value());
  EXPECT_FALSE(file->FindToken("").has_value());
  EXPECT_FALSE(file->FindToken(std::string(kToken) + "0").has_value());
  ASSERT_TRUE(file->FindCertificate("root").has_value());
  EXPECT_FALSE(file->FindCertificate("alice").has_value());  // has a token, no certificate
}

TEST(TokenFile, OneClientMayHaveSeveralTokens) {
  const auto file = TokenFile::Parse("a verify 0123456789abcdef\na verify fedcba9876543210\n");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->FindToken("fedcba9876543210")->name, "a");
}

TEST(TokenFile, RefusesWhatItDoesNotUnderstandWithoutRepeatingTokens) {
  for (const char* text :
       {"", "# nobody\n", "a verify", "a verify x y", "a owner 0123456789abcdef", "a verify tooshort",
        "a/b verify 0123456789abcdef", "a verify sha256:00",
        "a verify 0123456789abcdef\nb admin 0123456789abcdef", "a admin certificate\na verify certificate"}) {
    const auto file = TokenFile::Parse(text);
    EXPECT_FALSE(file.ok()) << text;
    EXPECT_EQ(std::string(file.status().message()).find(kToken), std::string::npos) << file.status();
  }
}

TEST(TokenFile, RefusesAFileThatEverybodyMayWrite) {
  ScratchFolder folder;
  const std::string path = folder.Path("tokens");
  std::ofstream(path) << "alice verify " << kToken << "\n";
  chmod(path.c_str(), 0600);
  EXPECT_TRUE(TokenFile::Read(path).ok());
  chmod(path.c_str(), 0602);
  EXPECT_FALSE(TokenFile::Read(path).ok());
  EXPECT_FALSE(TokenFile::Read(folder.Path("none")).ok());
}

}  // namespace
}  // namespace espalier::server
