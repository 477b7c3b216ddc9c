// A problem small enough to be learnt in a second: which half of a 4x4 image is brighter. And the espalier
// command as the training tests call it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/service/server_process.h"

namespace espalier::service_test {

// .npy arrays of `count` images 1x4x4 (float32, 0 to 1) and their labels (int64), always the same ones.
std::string HalfImages(int64_t count);
std::string HalfLabels(int64_t count);

std::string NpyFloats(const std::vector<int64_t>& shape, const std::vector<float>& values);
std::string NpyInts(const std::vector<int64_t>& values);

// Learns the problem in a few epochs.
extern const char kHalfSpec[];

void WriteFile(const std::string& path, const std::string& bytes);

struct Output {
  std::string text;  // stdout and stderr
  int status = -1;   // -signal when it was killed
};
// Runs espalier with these arguments to its end, at most a minute.
Output CallEspalier(const std::vector<std::string>& arguments);

std::vector<std::string> Joined(std::vector<std::string> words, const std::vector<std::string>& more);

// A folder with x.npy and y.npy, and the usual commands on them.
class HalvesFolder {
 public:
  explicit HalvesFolder(int64_t samples = 400);
  std::string Path(const std::string& name) const { return directory_.Path(name); }
  // "train SPEC --data .. --labels .. --eps 0.05 -o NAME" and `more`.
  std::vector<std::string> Train(const std::string& name, const std::vector<std::string>& more) const;
  // "graft MODEL --data .. --labels .. --eps 0.05 -o NAME" and `more`.
  std::vector<std::string> Graft(const std::string& model, const std::string& name,
                                 const std::vector<std::string>& more) const;
  std::vector<std::string> Data() const;  // "--data .. --labels .. --eps 0.05"

 private:
  TemporaryDirectory directory_;
};

// Starts the command, waits until NAME.checkpoint stands in the folder and a moment longer, then sends the
// signal. The status, and what was printed.
Output InterruptAfterCheckpoint(const std::vector<std::string>& arguments, const std::string& output,
                                int signal);

}  // namespace espalier::service_test
