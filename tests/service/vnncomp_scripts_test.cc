// The competition's scripts, called as the competition calls them.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

class VnncompScripts : public testing::Test {
 protected:
  VnncompScripts() {
    setenv("ESPALIER_BUILD", std::filesystem::path(ESPALIER).parent_path().c_str(), 1);
    setenv("ESPALIER_WARM_FOLDER", directory_.Path("warm").c_str(), 1);
    unsetenv("ESPALIER_WARM");
  }
  ~VnncompScripts() override {
    if (const pid_t pid = WarmServer(); pid > 0) kill(pid, SIGKILL);
    unsetenv("ESPALIER_WARM");
  }
  int Call(const std::string& script, const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {test_support::SourceFolder() / "vnncomp_scripts" / script};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process process(command, /*capture_stderr=*/false);
    return process.Wait().value_or(-1);
  }
  int Prepare(const std::string& model, const std::string& query) {
    return Call("prepare_instance.sh", {"v1", "tiny", ModelPath(model), QueryPath(query)});
  }
  // The result file's text.
  std::string Run(const std::string& model, const std::string& query, const std::string& timeout = "100") {
    Call("run_instance.sh", {"v1", "tiny", ModelPath(model), query, results_, timeout});
    return std::filesystem::exists(results_) ? ReadFile(results_) : "no file";
  }
  pid_t WarmServer() const {
    pid_t pid = 0;
    std::ifstream(directory_.Path("warm/pid")) >> pid;
    return pid;
  }
  TemporaryDirectory directory_;
  const std::string results_ = directory_.Path("results.txt");
};

TEST_F(VnncompScripts, RunCold) {
  EXPECT_EQ(Prepare("tiny_max.onnx", "tiny_max_unsat.vnnlib"), 0);
  EXPECT_EQ(Run("tiny_max.onnx", QueryPath("tiny_max_unsat.vnnlib")), "unsat\n");
  EXPECT_EQ(Run("tiny_max.onnx", QueryPath("tiny_max_sat.vnnlib")).rfind("sat\n((X_0 ", 0), 0U);
  std::ofstream(directory_.Path("endless.vnnlib")) << EndlessQuery();
  EXPECT_EQ(Run("digits.onnx", directory_.Path("endless.vnnlib"), "1"), "timeout\n");
  EXPECT_EQ(Run("none.onnx", QueryPath("tiny_max_sat.vnnlib")), "error\n");
  EXPECT_EQ(WarmServer(), 0);
}

TEST_F(VnncompScripts, RefuseAnotherVersionAndMissingFiles) {
  EXPECT_EQ(Call("install_tool.sh", {"v2"}), 1);
  EXPECT_EQ(Call("run_instance.sh", {"v2", "a", "b", "c", results_, "1"}), 1);
  EXPECT_EQ(Prepare("none.onnx", "tiny_max_unsat.vnnlib"), 1);
}

TEST_F(VnncompScripts, AWarmServerServesUntilItIsGone) {
  setenv("ESPALIER_WARM", "1", 1);
  EXPECT_EQ(Prepare("tiny_max.onnx", "tiny_max_unsat.vnnlib"), 0);
  const pid_t server = WarmServer();
  ASSERT_GT(server, 0);
  EXPECT_EQ(Run("tiny_max.onnx", QueryPath("tiny_max_unsat.vnnlib")), "unsat\n");
  EXPECT_EQ(Prepare("tiny_max.onnx", "tiny_max_unsat.vnnlib"), 0);
  EXPECT_EQ(WarmServer(), server) << "the same one";
  // The next instance is run cold when the server has died, and the next preparation starts a new one.
  kill(server, SIGKILL);
  EXPECT_EQ(Run("tiny_max.onnx", QueryPath("tiny_max_unsat.vnnlib")), "unsat\n");
  EXPECT_EQ(Prepare("tiny_max.onnx", "tiny_max_unsat.vnnlib"), 0);
  EXPECT_NE(WarmServer(), server);
  unsetenv("ESPALIER_WARM");
  EXPECT_EQ(Prepare("tiny_max.onnx", "tiny_max_unsat.vnnlib"), 0);
  EXPECT_EQ(WarmServer(), 0) << "ended";
}

}  // namespace
}  // namespace espalier::service_test
