#include "tests/service/training_data.h"

#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace espalier::service_test {
namespace {

constexpr int64_t kSide = 4;

std::string Npy(const std::string& type, const std::vector<int64_t>& shape, const void* values,
                size_t bytes) {
  std::string header = absl::StrCat("{'descr': '", type, "', 'fortran_order': False, 'shape': (",
                                    absl::StrJoin(shape, ", "), ",), }");
  constexpr size_t kPrefix = 10;
  while ((kPrefix + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  return file + header + std::string(static_cast<const char*>(values), bytes);
}

}  // namespace

const char kHalfSpec[] = "input 1x4x4; conv 4 k3 s1 p1; relu; fc 16; relu; fc 2";

std::string NpyFloats(const std::vector<int64_t>& shape, const std::vector<float>& values) {
  return Npy("<f4", shape, values.data(), values.size() * sizeof(float));
}

std::string NpyInts(const std::vector<int64_t>& values) {
  return Npy("<i8", {static_cast<int64_t>(values.size())}, values.data(), values.size() * sizeof(int64_t));
}

std::string HalfImages(int64_t count) {
  std::mt19937 random(7);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t pixel = 0; pixel < kSide * kSide; ++pixel) {
      const bool bright = (pixel % kSide < kSide / 2) == (i % 2 == 0);
      const float noise = static_cast<float>(random() % 1000) / 1000;
      values.push_back(bright ? 0.5F + 0.5F * noise : 0.5F * noise);
    }
  }
  return NpyFloats({count, 1, kSide, kSide}, values);
}

std::string HalfLabels(int64_t count) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(i % 2);
  return NpyInts(labels);
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

Output CallEspalier(const std::vector<std::string>& arguments) {
  Process process(Joined({ESPALIER}, arguments), /*capture_stderr=*/true);
  Output output;
  output.text = process.ReadAll();
  output.status = process.Wait().value_or(-1);
  return output;
}

std::vector<std::string> Joined(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

HalvesFolder::HalvesFolder(int64_t samples) {
  WriteFile(Path("x.npy"), HalfImages(samples));
  WriteFile(Path("y.npy"), HalfLabels(samples));
}

std::vector<std::string> HalvesFolder::Data() const {
  return {"--data", Path("x.npy"), "--labels", Path("y.npy"), "--eps", "0.05"};
}

std::vector<std::string> HalvesFolder::Train(const std::string& name,
                                             const std::vector<std::string>& more) const {
  return Joined(Joined(Joined({"train", kHalfSpec}, Data()), {"-o", Path(name)}), more);
}

std::vector<std::string> HalvesFolder::Graft(const std::string& model, const std::string& name,
                                             const std::vector<std::string>& more) const {
  return Joined(Joined(Joined({"graft", model}, Data()), {"-o", Path(name)}), more);
}

Output InterruptAfterCheckpoint(const std::vector<std::string>& arguments, const std::string& output,
                                int signal) {
  Process process(Joined({ESPALIER}, arguments), /*capture_stderr=*/true);
  Eventually([&] { return std::filesystem::exists(output + ".checkpoint"); });
  absl::SleepFor(absl::Milliseconds(100));
  process.Signal(signal);
  Output interrupted;
  interrupted.text = process.ReadAll();
  interrupted.status = process.Wait().value_or(-1);
  return interrupted;
}

}  // namespace espalier::service_test
