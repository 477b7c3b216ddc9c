// espalier submit, watch, cancel and jobs.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/service/job_client.h"

namespace espalier::service_test {
namespace {

class JobCommand : public testing::Test {
 protected:
  JobCommand() { Start(); }
  void Start() {
    server_.reset();
    server_ = std::make_unique<ServerProcess>(std::vector<std::string>{
        "--listen", Address(), "--data-dir", directory_.Path("data"), "--concurrency", "1"});
  }
  std::string Address() const { return "unix:" + directory_.Path("socket"); }

  struct Output {
    std::string text;
    int status = -1;
  };
  Output Call(std::vector<std::string> arguments, bool with_stderr = false) const {
    arguments.insert(arguments.begin(), ESPALIER);
    arguments.insert(arguments.end(), {"--server", Address()});
    Process process(arguments, with_stderr);
    Output output;
    output.text = process.ReadAll();
    output.status = process.Wait().value_or(-1);
    return output;
  }
  std::string Submit(const std::string& query, const std::string& model,
                     const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"submit", query, "--network", ModelPath(model)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Output output = Call(arguments);
    EXPECT_EQ(output.status, 0);
    return std::string(absl::StripSuffix(output.text, "\n"));
  }
  std::string SubmitEndless(const std::vector<std::string>& more = {}) {
    std::ofstream(directory_.Path("q.vnnlib")) << EndlessQuery();
    std::vector<std::string> arguments = {"--no-attack"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Submit(directory_.Path("q.vnnlib"), "digits.onnx", arguments);
  }

  // Reads up to the next line with this text; empty when the process ends without.
  static std::string LineWith(Process& process, const std::string& text,
                              std::vector<std::string>* lines = nullptr) {
    while (std::optional<std::string> line = process.ReadLine()) {
      if (lines != nullptr) lines->push_back(*line);
      if (line->find(text) != std::string::npos) return *line;
    }
    return "";
  }

  TemporaryDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(JobCommand, SubmitsWatchesAndLists) {
  const std::string id = Submit(QueryPath("tiny_max_sat.vnnlib"), "tiny_max.onnx", {"--label", "first try"});
  EXPECT_EQ(id.size(), 32U) << id;
  const Output watched = Call({"watch", id});
  EXPECT_EQ(watched.status, 0);
  EXPECT_EQ(watched.text.rfind("sat\n((X_0 ", 0), 0U) << watched.text;
  const Output list = Call({"jobs"});
  EXPECT_NE(list.text.find(id), std::string::npos);
  EXPECT_NE(list.text.find("first try"), std::string::npos);
  const Output one = Call({"jobs", id});
  EXPECT_NE(one.text.find("answer       sat"), std::string::npos) << one.text;
  EXPECT_EQ(Call({"jobs", "--state", "queued"}).text.find(id), std::string::npos);
  EXPECT_EQ(Call({"jobs", "--delete", id}).status, 0);
  EXPECT_EQ(Call({"jobs", id}).status, 3);
}

TEST_F(JobCommand, SpeaksJson) {
  const Output submitted = Call({"submit", QueryPath("tiny_max_unsat.vnnlib"), "--network",
                                 ModelPath("tiny_max.onnx"), "--request-id", "x", "--json"});
  ASSERT_EQ(submitted.text.rfind("{\"job_id\":\"", 0), 0U) << submitted.text;
  const std::string id = submitted.text.substr(11, 32);
  const Output watched = Call({"watch", id, "--json"});
  const std::vector<std::string> lines = absl::StrSplit(watched.text, '\n', absl::SkipEmpty());
  ASSERT_GE(lines.size(), 3U);
  EXPECT_EQ(lines.front().rfind("{\"sequence\":\"1\"", 0), 0U) << lines.front();
  EXPECT_NE(lines.back().find("ANSWER_UNSAT"), std::string::npos) << lines.back();
  EXPECT_NE(Call({"jobs", "--json"}).text.find("JOB_STATE_DONE"), std::string::npos);
  EXPECT_NE(Call({"jobs", id, "--json"}).text.find("\"model_sha256\""), std::string::npos);
  EXPECT_NE(Call({"cancel", id, "--json"}).text.find("JOB_STATE_DONE"), std::string::npos);
  EXPECT_EQ(Submit(QueryPath("tiny_max_unsat.vnnlib"), "tiny_max.onnx", {"--request-id", "x"}), id);
}

TEST_F(JobCommand, CancelEndsAWatch) {
  const std::string id = SubmitEndless();
  Process watch({ESPALIER, "watch", id, "--json", "--server", Address()}, false);
  EXPECT_NE(LineWith(watch, "\"progress\""), "") << "it follows the job";
  EXPECT_EQ(Call({"cancel", id}).status, 0);
  EXPECT_NE(LineWith(watch, "JOB_STATE_CANCELLED"), "");
  EXPECT_EQ(watch.Wait(), 0);
  const Output again = Call({"watch", id});
  EXPECT_EQ(again.text, "cancelled\n");
  EXPECT_EQ(again.status, 0);
}

TEST_F(JobCommand, WatchSurvivesTheServersKillWithoutRepeatingAnEvent) {
  const std::string id = SubmitEndless();
  Process watch({ESPALIER, "watch", id, "--json", "--server", Address(), "--patience", "100"}, false);
  std::vector<std::string> lines;
  EXPECT_NE(LineWith(watch, "\"progress\"", &lines), "");
  server_->process().Signal(SIGKILL);
  Start();
  EXPECT_NE(LineWith(watch, "\"attempt\":2", &lines), "");
  EXPECT_NE(LineWith(watch, "\"progress\"", &lines), "");
  EXPECT_EQ(Call({"cancel", id}).status, 0);
  EXPECT_NE(LineWith(watch, "JOB_STATE_CANCELLED", &lines), "");
  EXPECT_EQ(watch.Wait(), 0);
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string start = "{\"sequence\":\"" + std::to_string(i + 1) + "\"";
    EXPECT_EQ(lines[i].rfind(start, 0), 0U) << lines[i];
  }
}

TEST_F(JobCommand, AFailedJobHasTheExitStatusOfItsError) {
  std::ofstream(directory_.Path("bad.vnnlib")) << "(assert";
  const std::string id = Submit(directory_.Path("bad.vnnlib"), "tiny_max.onnx");
  const Output watched = Call({"watch", id}, true);
  EXPECT_EQ(watched.status, 3);
  EXPECT_NE(watched.text.find("espalier: line 1"), std::string::npos) << watched.text;
}

TEST_F(JobCommand, AServerHasToBeNamed) {
  Process process({ESPALIER, "jobs"}, true);
  EXPECT_NE(process.ReadAll().find("--server"), std::string::npos);
  EXPECT_EQ(process.Wait(), 2);
}

}  // namespace
}  // namespace espalier::service_test
