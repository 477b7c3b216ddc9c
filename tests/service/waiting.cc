#include "tests/service/waiting.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace espalier::service_test {
namespace {

// What follows the program's name in /proc/PID/stat, from the state on; empty when there is no such process.
std::istringstream StateOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string text;
  std::getline(file, text);
  const size_t close = text.rfind(')');
  return std::istringstream(close == std::string::npos ? "" : text.substr(close + 2));
}

double ProcessorSeconds(pid_t pid) {
  std::istringstream fields = StateOf(pid);
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// In seconds of processor time. Loading the program and its libraries takes a quarter of a second.
constexpr double kMoreThanAStart = 0.8;

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code error;  // threads, and the process, may end while they are looked at
  std::filesystem::directory_iterator task(absl::StrCat("/proc/", pid, "/task"), error);
  for (; !error && task != std::filesystem::directory_iterator(); task.increment(error)) {
    std::ifstream file(task->path() / "children");
    for (pid_t child = 0; file >> child;) children.push_back(child);
  }
  return children;
}

bool Runs(pid_t pid) {
  char state = 'Z';
  StateOf(pid) >> state;
  if (state != 'Z' && state != 'X') return true;
  // The first thread is a zombie as soon as it has ended; the process can be waited for when all others have,
  // too.
  std::error_code gone;
  std::filesystem::directory_iterator thread(absl::StrCat("/proc/", pid, "/task"), gone);
  return !gone && std::distance(begin(thread), end(thread)) > 1;
}

std::vector<pid_t> SearchingChildren(pid_t parent, size_t expected) {
  std::vector<pid_t> searching;
  std::map<pid_t, double> before;
  Eventually([&] {
    searching.clear();
    for (const pid_t child : ChildrenOf(parent)) {
      const double now = ProcessorSeconds(child);
      const double first = before.emplace(child, now).first->second;
      if (now - first > kMoreThanAStart) searching.push_back(child);
    }
    return searching.size() >= expected;
  });
  return searching;
}

}  // namespace espalier::service_test
