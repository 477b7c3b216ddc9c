// Any bytes are an array, an archive or an error; what was read can be written and read again.
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz_target.h"
#include "verifier/formats/npy_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using espalier::formats::ListNpz, espalier::formats::ReadNpy, espalier::formats::ReadNpzEntry;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  espalier::formats::NpyLimits limits;
  limits.elements = 100'000;
  const auto tensor = ReadNpy(bytes, limits);
  if (tensor.ok()) {
    const auto written = espalier::formats::WriteNpy(*tensor);
    if (!written.ok() || !ReadNpy(*written, limits).ok()) std::abort();
  }
  if (const auto names = ListNpz(bytes); names.ok()) {
    for (const std::string& name : *names) (void)ReadNpzEntry(bytes, name, limits);
  }
  return 0;
}
