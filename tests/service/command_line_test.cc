// The espalier command: output, files, exit statuses, and the life of its private server.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/service/training_data.h"

namespace espalier::service_test {
namespace {

Output Call(std::vector<std::string> arguments, bool with_stderr = false) {
  arguments.insert(arguments.begin(), ESPALIER);
  Process process(arguments, with_stderr);
  Output output;
  output.text = process.ReadAll();
  output.status = process.Wait().value_or(-1);
  return output;
}

std::vector<std::string> VerifyArguments(const std::string& model, const std::string& query) {
  return {"verify", QueryPath(query), "--network", ModelPath(model)};
}

std::vector<std::string> With(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

class CommandLine : public testing::Test {
 protected:
  TemporaryDirectory directory_;
};

TEST_F(CommandLine, PrintsOneLineAndTheAssignment) {
  const Output unsat = Call(VerifyArguments("tiny_max.onnx", "tiny_max_unsat.vnnlib"));
  EXPECT_EQ(unsat.text, "unsat\n");
  EXPECT_EQ(unsat.status, 0);
  const std::string results = directory_.Path("results");
  const Output sat = Call(With(VerifyArguments("tiny_max.onnx", "tiny_max_sat.vnnlib"),
                               {"--results-file", results, "--timeout", "60"}));
  EXPECT_EQ(sat.status, 0);
  EXPECT_EQ(sat.text.rfind("sat\n((X_0 ", 0), 0U) << sat.text;
  EXPECT_NE(sat.text.find("\n(Y_0 "), std::string::npos) << sat.text;
  EXPECT_EQ(ReadFile(results), sat.text);
}

TEST_F(CommandLine, TimeLimitIsAnAnswer) {
  WriteFile(directory_.Path("q.vnnlib"), EndlessQuery());
  const std::string results = directory_.Path("results");
  const Output output = Call({"verify", directory_.Path("q.vnnlib"), "--network", ModelPath("digits.onnx"),
                              "--no-attack", "--timeout", "0.7", "--results-file", results});
  EXPECT_EQ(output.text, "timed-out\n");
  EXPECT_EQ(output.status, 0);
  EXPECT_EQ(ReadFile(results), "timeout\n");
}

TEST_F(CommandLine, ErrorsHaveExitStatusesAndAResultFile) {
  const std::string results = directory_.Path("results");
  WriteFile(directory_.Path("bad.onnx"), "nothing");
  const Output bad_model = Call({"verify", QueryPath("tiny_max_sat.vnnlib"), "--network",
                                 directory_.Path("bad.onnx"), "--results-file", results});
  EXPECT_EQ(bad_model.status, 3);
  EXPECT_EQ(bad_model.text, "");
  EXPECT_EQ(ReadFile(results), "error\n");
  EXPECT_EQ(Call({"verify", "no_such_file", "--network", ModelPath("tiny_max.onnx")}).status, 3);
  EXPECT_EQ(Call({"verify"}).status, 2);
  EXPECT_EQ(Call({}).status, 2);
  EXPECT_EQ(
      Call(With(VerifyArguments("tiny_max.onnx", "tiny_max_sat.vnnlib"), {"--option", "speed=9"})).status, 2);
  EXPECT_EQ(
      Call(With(VerifyArguments("tiny_max.onnx", "tiny_max_sat.vnnlib"), {"--option", "batch=-1"})).status,
      3);
  const std::string nobody = "unix:" + directory_.Path("nobody");
  EXPECT_EQ(Call(With(VerifyArguments("tiny_max.onnx", "tiny_max_sat.vnnlib"), {"--server", nobody})).status,
            5);
}

TEST_F(CommandLine, SpeaksJson) {
  const auto json = [](std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const Output output = Call(arguments);
    EXPECT_EQ(output.status, 0) << arguments[0];
    return nlohmann::json::parse(output.text);
  };
  const nlohmann::json sat = json(VerifyArguments("tiny_max.onnx", "tiny_max_sat.vnnlib"));
  EXPECT_EQ(sat["answer"], "ANSWER_SAT");
  EXPECT_EQ(sat["witness"]["input"].size(), 2U);
  EXPECT_EQ(sat["record"]["model_sha256"].get<std::string>().size(), 64U);
  WriteFile(directory_.Path("x.npy"), NpyFloats({2}, {0.5F, -1.0F}));
  EXPECT_EQ(json({"run", ModelPath("tiny_max.onnx"), "--input", directory_.Path("x.npy")})["values"][0], 2);
  EXPECT_EQ(json({"supports"})["vnnlib_versions"][0], "1.0");
  ServerProcess server({"--listen", "127.0.0.1:0"});
  EXPECT_EQ(json({"health", "--server", server.address()})["status"], "serving");
}

TEST_F(CommandLine, ReadsGzipFiles) {
  const std::string copy = directory_.Path("q.vnnlib");
  std::filesystem::copy_file(QueryPath("tiny_max_unsat.vnnlib"), copy);
  Process gzip({"/bin/gzip", copy}, false);
  ASSERT_EQ(gzip.Wait(), 0);
  EXPECT_EQ(Call({"verify", copy + ".gz", "--network", ModelPath("tiny_max.onnx")}).text, "unsat\n");
  const std::string packed = ReadFile(copy + ".gz");
  WriteFile(copy + ".gz", packed.substr(0, packed.size() / 2));
  EXPECT_EQ(Call({"verify", copy + ".gz", "--network", ModelPath("tiny_max.onnx")}).status, 3);
}

TEST_F(CommandLine, UploadsWhatIsTooLargeForOneMessage) {
  const std::string query = directory_.Path("q.vnnlib");
  WriteFile(query, std::string(6 << 20, '\n') + ReadFile(QueryPath("tiny_max_unsat.vnnlib")));
  EXPECT_EQ(Call({"verify", query, "--network", ModelPath("tiny_max.onnx")}).text, "unsat\n");
}

TEST_F(CommandLine, TalksToANamedServer) {
  ServerProcess server({"--listen", "127.0.0.1:0"});
  EXPECT_EQ(
      Call(With(VerifyArguments("tiny_max.onnx", "tiny_max_unsat.vnnlib"), {"--server", server.address()}))
          .text,
      "unsat\n");
}

TEST_F(CommandLine, DescribesRunsAndSaysWhatIsSupported) {
  const Output described = Call({"describe", ModelPath("digits_grafted.onnx")});
  EXPECT_EQ(described.status, 0);
  EXPECT_NE(described.text.find("grafted"), std::string::npos);
  EXPECT_NE(Call({"supports", "--onnx-operators"}).text.find("Conv\n"), std::string::npos);
  EXPECT_EQ(Call({"supports", "--vnnlib-versions"}).text, "1.0\n");
  EXPECT_EQ(Call({"--name"}).text, "espalier\n");
  EXPECT_EQ(Call({"--version"}).status, 0);
}

TEST_F(CommandLine, PrivateServerEndsWithItsClient) {
  WriteFile(directory_.Path("q.vnnlib"), EndlessQuery());
  for (const int signal : {SIGKILL, SIGTERM, SIGINT}) {
    Process client({ESPALIER, "verify", directory_.Path("q.vnnlib"), "--network", ModelPath("digits.onnx"),
                    "--no-attack", "--quiet"},
                   false);
    const std::vector<pid_t> servers = SearchingChildren(client.pid(), 1);
    ASSERT_EQ(servers.size(), 1U);
    client.Signal(signal);
    EXPECT_TRUE(Eventually([&] { return !Runs(servers[0]); })) << "signal " << signal;
  }
}

TEST_F(CommandLine, SaysHowAPrivateServerFailed) {
  setenv("ESPALIER_SERVER_BINARY", "/bin/false", 1);
  const Output output = Call(VerifyArguments("tiny_max.onnx", "tiny_max_sat.vnnlib"), true);
  unsetenv("ESPALIER_SERVER_BINARY");
  EXPECT_EQ(output.status, 5);
  EXPECT_NE(output.text.find("private server ended with status 1"), std::string::npos) << output.text;
}

TEST_F(CommandLine, HealthSaysWhetherAServerTakesCalls) {
  EXPECT_EQ(Call({"health"}).status, 2) << "there is no private server to ask";
  const std::string address = "unix:" + directory_.Path("socket");
  EXPECT_EQ(Call({"health", "--server", address}).status, 5);
  ServerProcess server({"--listen", address});
  const Output serving = Call({"health", "--server", address});
  EXPECT_EQ(serving.text, "serving\n");
  EXPECT_EQ(serving.status, 0);
  // A stopped process accepts connections and answers nothing: what a probe has to notice.
  server.process().Signal(SIGSTOP);
  EXPECT_EQ(Call({"health", "--server", address, "--timeout", "0.5"}).status, 5);
  server.process().Signal(SIGCONT);
  EXPECT_EQ(Call({"health", "--server", address}).status, 0);
}

}  // namespace
}  // namespace espalier::service_test
