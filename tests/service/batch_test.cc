// espalier batch with real servers: results, a kill at any moment, servers that die.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

namespace fs = std::filesystem;

struct Output {
  std::string text;
  int status = -1;
};

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string Line(const std::string& model, const std::string& query, double timeout = 100) {
  return absl::StrCat(ModelPath(model), ",", query, ",", timeout, "\n");
}

const char* const kQuick[][2] = {{"tiny_max.onnx", "tiny_max_unsat.vnnlib"},
                                 {"tiny_max.onnx", "tiny_max_sat.vnnlib"},
                                 {"tiny_residual.onnx", "tiny_residual_unsat.vnnlib"},
                                 {"digits.onnx", "digits_by_splits.vnnlib"}};

class Batch : public testing::Test {
 protected:
  std::vector<std::string> Command(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {ESPALIER, "batch", list_, "--results-dir", results_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Output Call(const std::vector<std::string>& more = {}) {
    Process process(Command(more), /*capture_stderr=*/true);
    Output output;
    output.text = process.ReadAll();
    output.status = process.Wait().value_or(-1);
    return output;
  }
  // `count` instances, the quick ones in turn.
  void WriteQuickList(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += Line(kQuick[i % 4][0], QueryPath(kQuick[i % 4][1]));
    WriteFile(list_, text);
  }
  std::vector<std::string> JournalLines() const {
    std::vector<std::string> lines =
        absl::StrSplit(ReadFile(results_ + "/journal.jsonl"), '\n', absl::SkipEmpty());
    if (!lines.empty()) lines.erase(lines.begin());
    return lines;
  }
  // The fifth column of results.csv.
  std::vector<std::string> Results() const {
    std::vector<std::string> results;
    for (const std::string& line : std::vector<std::string>(
             absl::StrSplit(ReadFile(results_ + "/results.csv"), '\n', absl::SkipEmpty()))) {
      const std::vector<std::string> cells = absl::StrSplit(line, ',');
      results.push_back(cells.size() == 6 ? cells[4] : "?");
    }
    return results;
  }
  // Waits until a batch on one private server has finished its first instance and searches in the second.
  static bool SecondRuns(Process& batch) {
    while (const std::optional<std::string> line = batch.ReadLine()) {
      if (line->rfind("[1/3]", 0) == 0) return SearchingChildren(batch.pid(), 1).size() == 1;
    }
    return false;
  }
  TemporaryDirectory directory_;
  const std::string list_ = directory_.Path("instances.csv");
  const std::string results_ = directory_.Path("results");
};

TEST_F(Batch, EveryInstanceHasItsVerdictAndItsFile) {
  WriteFile(directory_.Path("endless.vnnlib"), EndlessQuery());
  fs::copy_file(ModelPath("tiny_max.onnx"), directory_.Path("net.onnx"));
  Process gzip({"/bin/gzip", directory_.Path("net.onnx")}, false);
  ASSERT_EQ(gzip.Wait(), 0);
  WriteFile(list_, Line("tiny_max.onnx", QueryPath("tiny_max_unsat.vnnlib")) + "net.onnx," +
                       QueryPath("tiny_max_sat.vnnlib") + ",10\n" +
                       Line("digits.onnx", "endless.vnnlib", 0.5) +
                       Line("digits.onnx", QueryPath("tiny_max_sat.vnnlib")) +
                       Line("none.onnx", QueryPath("tiny_max_sat.vnnlib")));
  const Output output = Call({"--no-attack"});
  EXPECT_EQ(output.status, 7) << "some ended with an error\n" << output.text;
  const std::vector<std::string> expected = {"unsat", "sat", "timeout", "error", "error"};
  EXPECT_EQ(Results(), expected) << output.text;
  const std::string sat = ReadFile(results_ + "/instances/0002_net_tiny_max_sat.txt");
  EXPECT_EQ(sat.rfind("sat\n((X_0 ", 0), 0U) << sat;
  EXPECT_EQ(ReadFile(results_ + "/instances/0003_digits_endless.txt"), "timeout\n");
  EXPECT_EQ(ReadFile(results_ + "/instances/0005_none_tiny_max_sat.txt"), "error\n");
  EXPECT_NE(ReadFile(results_ + "/report.html").find("query not understood"), std::string::npos);

  // Again: nothing is run, and the same is said.
  const std::string journal = ReadFile(results_ + "/journal.jsonl");
  EXPECT_EQ(Call({"--no-attack"}).status, 7);
  EXPECT_EQ(ReadFile(results_ + "/journal.jsonl"), journal);
  EXPECT_EQ(Results(), expected);
  EXPECT_EQ(Call({"--no-attack", "--seed", "7"}).status, 3) << "other options";
  Call({"--no-attack", "--retry-errors"});
  EXPECT_EQ(JournalLines().size(), 7U) << "the two errors once more";
  EXPECT_EQ(Call({"--no-attack", "--restart", "--json"}).status, 7);
  EXPECT_EQ(JournalLines().size(), 5U);
}

TEST_F(Batch, AChangedFileIsRunAgain) {
  const std::string query = directory_.Path("q.vnnlib");
  fs::copy_file(QueryPath("tiny_max_unsat.vnnlib"), query);
  WriteFile(list_, Line("tiny_max.onnx", query) + Line("tiny_max.onnx", QueryPath("tiny_max_unsat.vnnlib")));
  EXPECT_EQ(Call().status, 0);
  fs::copy_file(QueryPath("tiny_max_sat.vnnlib"), query, fs::copy_options::overwrite_existing);
  EXPECT_EQ(Call().status, 0);
  EXPECT_EQ(Results(), (std::vector<std::string>{"sat", "unsat"}));
  EXPECT_EQ(JournalLines().size(), 3U);
}

TEST_F(Batch, AfterAKillItGoesOnWithoutRunningAnythingTwice) {
  WriteQuickList(60);
  for (const int milliseconds : {60, 150, 250, 350}) {
    Process process(Command({"--jobs", "2"}), false);
    absl::SleepFor(absl::Milliseconds(milliseconds));
    process.Signal(SIGKILL);
    process.Wait();
  }
  const Output output = Call({"--jobs", "2"});
  EXPECT_EQ(output.status, 0) << output.text;
  const std::vector<std::string> lines = JournalLines();
  EXPECT_EQ(lines.size(), 60U);
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 60U);
  const std::vector<std::string> results = Results();
  ASSERT_EQ(results.size(), 60U);
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i], i % 4 == 1 ? "sat" : "unsat") << i;
}

TEST_F(Batch, ShardsShareAListAndAreCollected) {
  WriteQuickList(10);  // every line of the four several times
  std::vector<std::string> collect;
  for (const char* part : {"1", "2", "3"}) {
    const std::string folder = directory_.Path(absl::StrCat("part", part));
    Process process(
        {ESPALIER, "batch", list_, "--results-dir", folder, "--quiet", "--shard", absl::StrCat(part, "/3")},
        true);
    const std::string text = process.ReadAll();
    EXPECT_EQ(process.Wait(), 0) << text;
    EXPECT_EQ(text.find("were not run"), std::string::npos) << "of its own part: " << text;
    collect.insert(collect.end(), {"--collect", folder});
  }
  // Instances keep the numbers that they have in the list.
  EXPECT_FALSE(ReadFile(directory_.Path("part2/instances/0005_tiny_max_tiny_max_unsat.txt")).empty());
  const Output output = Call(collect);
  EXPECT_EQ(output.status, 0) << output.text;
  EXPECT_NE(output.text.find("10 of 10 instances were finished before"), std::string::npos) << output.text;
  EXPECT_EQ(JournalLines().size(), 10U) << "nothing is run again";
  const std::vector<std::string> results = Results();
  ASSERT_EQ(results.size(), 10U);
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i], i % 4 == 1 ? "sat" : "unsat") << i;

  EXPECT_EQ(Call(collect).status, 0);
  EXPECT_EQ(JournalLines().size(), 10U) << "collecting again adds nothing";
  EXPECT_EQ(Call({"--collect", directory_.Path("nowhere")}).status, 3);
  EXPECT_EQ(Call({"--shard", "4/3"}).status, 2);
}

TEST_F(Batch, AnInterruptEndsItSoonAndItGoesOn) {
  WriteFile(directory_.Path("endless.vnnlib"), EndlessQuery());
  const auto write_list = [&](double seconds) {
    WriteFile(list_, Line("tiny_max.onnx", QueryPath("tiny_max_unsat.vnnlib")) +
                         Line("digits.onnx", "endless.vnnlib", seconds) +
                         Line("tiny_max.onnx", QueryPath("tiny_max_sat.vnnlib")));
  };
  write_list(1000);
  Process process(Command({"--no-attack"}), true);
  ASSERT_TRUE(SecondRuns(process));
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(), 130);
  EXPECT_EQ(JournalLines().size(), 1U) << "what was interrupted has no result";
  write_list(1);
  EXPECT_EQ(Call({"--no-attack"}).status, 0);
  EXPECT_EQ(Results(), (std::vector<std::string>{"unsat", "timeout", "sat"}));
  EXPECT_EQ(JournalLines().size(), 3U);
}

TEST_F(Batch, ACrashOfThePrivateServerFailsOneInstance) {
  WriteFile(directory_.Path("endless.vnnlib"), EndlessQuery());
  WriteFile(list_, Line("tiny_max.onnx", QueryPath("tiny_max_unsat.vnnlib")) +
                       Line("digits.onnx", "endless.vnnlib", 1000) +
                       Line("tiny_max.onnx", QueryPath("tiny_max_sat.vnnlib")));
  Process process(Command({"--no-attack"}), true);
  ASSERT_TRUE(SecondRuns(process));
  const std::vector<pid_t> servers = ChildrenOf(process.pid());
  ASSERT_EQ(servers.size(), 1U);
  kill(servers[0], SIGKILL);
  const std::string rest = process.ReadAll();
  EXPECT_EQ(process.Wait(), 7);
  EXPECT_EQ(Results(), (std::vector<std::string>{"unsat", "error", "sat"})) << rest;
  EXPECT_NE(rest.find("server crashed (the private server was ended by signal 9"), std::string::npos) << rest;
}

TEST_F(Batch, ADeadServersInstancesGoToTheOthers) {
  WriteQuickList(80);
  ServerProcess first({"--listen", "127.0.0.1:0"}), second({"--listen", "127.0.0.1:0"});
  Process process(Command({"--server", first.address() + "," + second.address()}), true);
  const auto has_worked = [&](const ServerProcess& server) {
    return ReadFile(results_ + "/journal.jsonl").find(server.address()) != std::string::npos;
  };
  EXPECT_TRUE(Eventually([&] { return has_worked(first); }));
  first.process().Signal(SIGKILL);
  const std::string rest = process.ReadAll();
  EXPECT_EQ(process.Wait(), 0) << rest;
  const std::vector<std::string> results = Results();
  ASSERT_EQ(results.size(), 80U) << rest;
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i], i % 4 == 1 ? "sat" : "unsat") << i;
  EXPECT_TRUE(has_worked(second));
}

TEST_F(Batch, WithoutAServerOrWithAWrongOptionNothingIsRecorded) {
  WriteQuickList(4);
  const std::string nobody = "unix:" + directory_.Path("nobody");
  const Output unreachable = Call({"--server", nobody, "--patience", "0.5"});
  EXPECT_EQ(unreachable.status, 5);
  EXPECT_NE(unreachable.text.find("4 of 4 instances were not run"), std::string::npos) << unreachable.text;
  EXPECT_EQ(Call({"--option", "batch=-1", "--restart"}).status, 3);
  EXPECT_TRUE(JournalLines().empty());
  EXPECT_EQ(Call({"--option", "speed=9"}).status, 2);
  WriteFile(list_, "no list\n");
  EXPECT_EQ(Call({"--restart"}).status, 3);
}

TEST_F(Batch, AFullQueueIsWaitedFor) {
  WriteQuickList(24);
  ServerProcess server({"--listen", "127.0.0.1:0", "--concurrency", "1", "--max-queue", "1"});
  const Output output = Call({"--server", server.address(), "--jobs", "6"});
  EXPECT_EQ(output.status, 0) << output.text;
  EXPECT_EQ(Results().size(), 24U);
}

}  // namespace
}  // namespace espalier::service_test
