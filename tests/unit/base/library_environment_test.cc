#include "verifier/base/library_environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

namespace espalier::base {
namespace {

std::map<std::string, std::string> Wanted(BlasCore core) {
  const auto list = LibraryEnvironment(core);
  return {list.begin(), list.end()};
}

class LibraryEnvironmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENBLAS_CORETYPE"}) unsetenv(name);
  }
  void TearDown() override { SetUp(); }
};

TEST_F(LibraryEnvironmentTest, SaysWhatTheProcessorCanRun) {
  EXPECT_EQ(Wanted(BlasCore::kAvx512)["OPENBLAS_CORETYPE"], "SkylakeX");
  EXPECT_EQ(Wanted(BlasCore::kAvx2)["OPENBLAS_CORETYPE"], "Haswell");
  EXPECT_EQ(Wanted(BlasCore::kUnknown).count("OPENBLAS_CORETYPE"), 0u);
  EXPECT_EQ(Wanted(BlasCore::kUnknown)["OMP_WAIT_POLICY"], "passive");
  EXPECT_EQ(Wanted(BlasCore::kUnknown)["GOMP_SPINCOUNT"], "2000");
}

TEST_F(LibraryEnvironmentTest, WhatSomebodyHasChosenStays) {
  setenv("OPENBLAS_CORETYPE", "Nehalem", 1);
  setenv("GOMP_SPINCOUNT", "7", 1);
  EXPECT_FALSE(SetLibraryEnvironment());
  EXPECT_STREQ(std::getenv("OPENBLAS_CORETYPE"), "Nehalem");
  EXPECT_EQ(std::getenv("OMP_WAIT_POLICY"), nullptr);
}

TEST_F(LibraryEnvironmentTest, WhoHasChosenHowToWaitGetsNoSpinCount) {
  setenv("OMP_WAIT_POLICY", "active", 1);
  EXPECT_EQ(Wanted(BlasCore::kUnknown).count("GOMP_SPINCOUNT"), 0u);
  SetLibraryEnvironment();
  EXPECT_STREQ(std::getenv("OMP_WAIT_POLICY"), "active");
  EXPECT_EQ(std::getenv("GOMP_SPINCOUNT"), nullptr);
}

TEST_F(LibraryEnvironmentTest, IsSetOnce) {
  EXPECT_TRUE(SetLibraryEnvironment());
  EXPECT_STREQ(std::getenv("OMP_WAIT_POLICY"), "passive");
  EXPECT_STREQ(std::getenv("GOMP_SPINCOUNT"), "2000");
  EXPECT_FALSE(SetLibraryEnvironment());
}

}  // namespace
}  // namespace espalier::base
