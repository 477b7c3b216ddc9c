#include "server/spare_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

namespace espalier::server {
namespace {

constexpr size_t kBlock = 50'000,
                 kBlocks = 4000;  // of a thread's arena: not so large that they are mapped one by one

int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

TEST(SpareMemoryTest, WhatAThreadFreedGoesBack) {
  std::thread([] {
    std::vector<std::unique_ptr<char[]>> blocks;
    for (size_t i = 0; i < kBlocks; ++i) {
      blocks.push_back(std::make_unique<char[]>(kBlock));
      std::memset(blocks.back().get(), 1, kBlock);
    }
    blocks.erase(blocks.begin(), blocks.end() - 1);  // the last one keeps the arena's end in use
    const int64_t before = ResidentBytes();
    GiveBackSpareMemory();
    EXPECT_LT(ResidentBytes(), before - static_cast<int64_t>(kBlock * kBlocks / 2));
  }).join();
}

}  // namespace
}  // namespace espalier::server
