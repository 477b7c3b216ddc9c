// Any bytes are a data set or an error; what was read is consistent, and a network's loss could be computed
// on it.
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "verifier/formats/dataset_reader.h"

// Everything up to the first "|LABELS|" is data, the rest labels.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view kMark = "|LABELS|";
  constexpr size_t kMaxBytes = 1 << 20;
  if (size > kMaxBytes) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t mark = bytes.find(kMark);
  const std::string_view labels = mark == std::string_view::npos ? "" : bytes.substr(mark + kMark.size());
  const auto dataset = espalier::formats::ReadDataset(bytes.substr(0, mark), labels);
  if (!dataset.ok()) return 0;
  std::vector<float> sample(static_cast<size_t>(dataset->sample_size()));
  if (sample.empty() || dataset->size() == 0) std::abort();
  for (int64_t i = 0; i < dataset->size(); ++i) {
    if (dataset->labels[static_cast<size_t>(i)] < 0) std::abort();
    dataset->CopySample(i, sample.data());
    for (const float x : sample) {
      if (!std::isfinite(x)) std::abort();
    }
  }
  return 0;
}
