#include "client/batch/instances.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "client/file_bytes.h"

namespace espalier::client {
namespace {

class Instances : public testing::Test {
 protected:
  Instances() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "onnx");
  }
  ~Instances() override { std::filesystem::remove_all(folder_); }
  absl::StatusOr<std::vector<Instance>> Read(const std::string& text) {
    EXPECT_TRUE(WriteFileBytes(folder_ / "instances.csv", text).ok());
    return ReadInstances(folder_ / "instances.csv");
  }
  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("acas_" + std::to_string(getpid()));
};

TEST_F(Instances, ReadsTheCompetitionsForm) {
  ASSERT_TRUE(WriteFileBytes(folder_ / "onnx/a.onnx.gz", "x").ok());
  const auto list = Read("onnx/a.onnx,vnnlib/p_1.vnnlib,116\n./b.onnx,/tmp/q.vnnlib\n");
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 2U);
  const Instance& first = list->front();
  EXPECT_EQ(first.category, folder_.filename());
  EXPECT_EQ(first.model, "onnx/a.onnx");
  EXPECT_EQ(first.model_path, folder_ / "onnx/a.onnx.gz") << "only the packed file is there";
  EXPECT_EQ(first.query_path, folder_ / "vnnlib/p_1.vnnlib");
  EXPECT_EQ(first.timeout_s, 116);
  EXPECT_EQ(first.Name(), "a p_1");
  EXPECT_EQ((*list)[1].query_path, "/tmp/q.vnnlib");
  EXPECT_FALSE((*list)[1].timeout_s.has_value());
}

TEST_F(Instances, ReadsNamedColumns) {
  const auto list = Read("id,benchmark,onnx,vnnlib,timeout\n1,oval21,a.onnx,p.vnnlib,60\n");
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().category, "oval21");
  EXPECT_EQ(list->front().query, "p.vnnlib");
  EXPECT_EQ(list->front().timeout_s, 60);
}

TEST_F(Instances, RefusesWhatIsNoList) {
  for (const char* text : {"", "\n\n", "a.onnx\n", "a.onnx,p.vnnlib,soon\n", "a.onnx,p.vnnlib,0\n",
                           "a.onnx,p.vnnlib,nan\n", ",p.vnnlib,1\n", "onnx,vnnlib,timeout\n", "\"a.onnx"}) {
    EXPECT_FALSE(Read(text).ok()) << text;
  }
  EXPECT_NE(Read("a,b,1\na,b,x\n").status().message().find("line 2"), std::string::npos);
  EXPECT_FALSE(ReadInstances(folder_ / "none").ok());
}

TEST(Stem, DropsFolderAndSuffixes) {
  EXPECT_EQ(Stem("a/net.onnx.gz"), "net");
  EXPECT_EQ(Stem("prop_0.05.vnnlib"), "prop_0.05");
  EXPECT_EQ(Stem("net"), "net");
}

}  // namespace
}  // namespace espalier::client
