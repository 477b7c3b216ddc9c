// Drives a fuzz target where libFuzzer is not available: replays every file of a folder, then seeded
// mutations of them.
//
//   vnnlib_fuzz FOLDER [--runs N] [--seed S] [--first R]
//   vnnlib_fuzz FILE...                       # replay only
//
// Input R of seed S is always the same. An input that crashes, or takes more than a minute, is written to
// crash-S-R in the working folder, with the command that repeats it.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/mutate.h"
#include "tests/support/test_files.h"

namespace {

constexpr unsigned kSecondsPerInput = 60;

// What the signal handler needs; the driver has one thread.
const char* current_bytes = nullptr;
size_t current_size = 0;
char current_file[64] = "crash-seed";

void OnCrash(int signal_number) {
  const int file = open(current_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  bool written = file >= 0;
  for (size_t done = 0; written && done < current_size;) {
    const ssize_t count = write(file, current_bytes + done, current_size - done);
    written = count > 0;
    if (written) done += static_cast<size_t>(count);
  }
  const char* reason = signal_number == SIGALRM ? "\nTOO SLOW, input kept in " : "\nCRASH, input kept in ";
  if (write(STDERR_FILENO, reason, std::strlen(reason)) < 0 ||
      write(STDERR_FILENO, current_file, std::strlen(current_file)) < 0 ||
      write(STDERR_FILENO, "\n", 1) < 0) {
    _exit(3);
  }
  signal(signal_number, SIG_DFL);
  if (signal_number == SIGALRM) _exit(2);
  raise(signal_number);
}

void RunOne(const std::string& bytes, const std::string& crash_file) {
  std::snprintf(current_file, sizeof current_file, "%s", crash_file.c_str());
  current_bytes = bytes.data();
  current_size = bytes.size();
  alarm(kSecondsPerInput);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  alarm(0);
}

std::vector<std::filesystem::path> FilesOf(const std::vector<std::string>& arguments) {
  std::vector<std::filesystem::path> files;
  for (const std::string& argument : arguments) {
    if (!std::filesystem::is_directory(argument)) {
      files.emplace_back(argument);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argument)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t runs = 0, seed = 1, first = 0;
  std::vector<std::string> places;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    uint64_t* value = argument == "--runs"    ? &runs
                      : argument == "--seed"  ? &seed
                      : argument == "--first" ? &first
                                              : nullptr;
    if (value == nullptr) {
      places.push_back(argument);
    } else if (++i < argc) {
      *value = std::strtoull(argv[i], nullptr, 10);
    }
  }
  for (const int number : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL, SIGALRM}) signal(number, OnCrash);
  std::vector<std::string> seeds;
  for (const std::filesystem::path& path : FilesOf(places)) {
    seeds.push_back(espalier::test_support::ReadFile(path));
    RunOne(seeds.back(), "crash-seed-" + path.filename().string());
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "usage: %s FOLDER|FILE... [--runs N] [--seed S] [--first R]\n", argv[0]);
    return 64;
  }
  std::printf("%zu seeds replayed\n", seeds.size());
  espalier::fuzz::Mutator mutator(std::move(seeds));
  for (uint64_t run = first; run < first + runs; ++run) {
    RunOne(mutator.Make(seed, run), "crash-" + std::to_string(seed) + "-" + std::to_string(run));
  }
  std::printf("%llu mutations of seed %llu\n", static_cast<unsigned long long>(runs),
              static_cast<unsigned long long>(seed));
  return 0;
}
