#include "verifier/formats/npz_writer.h"

#include <zlib.h>

#include <cstdint>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/npy_bytes.h"
#include "verifier/formats/npy_reader.h"

namespace espalier::formats {
namespace {

constexpr size_t kLongestName = 65000;

template <typename T>
void AppendLittle(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// What local header and directory entry have in common: from the version needed to the name's length.
void AppendFields(std::string& out, uint32_t crc, uint32_t bytes, const std::string& name) {
  constexpr uint16_t kVersion = 20, kUtf8Name = 0x800, kStored = 0, kMidnight = 0, kFirstOfJanuary1980 = 0x21;
  for (const uint16_t field : {kVersion, kUtf8Name, kStored, kMidnight, kFirstOfJanuary1980}) {
    AppendLittle(out, field);
  }
  AppendLittle(out, crc);
  AppendLittle(out, bytes);  // packed
  AppendLittle(out, bytes);
  AppendLittle(out, static_cast<uint16_t>(name.size()));
  AppendLittle(out, uint16_t{0});  // extra field
}

void AppendDirectoryEntry(std::string& out, const std::string& fields, uint32_t offset,
                          const std::string& name) {
  out += "PK\x01\x02";
  AppendLittle(out, uint16_t{20});  // made by
  out += fields;
  for (int i = 0; i < 3; ++i) AppendLittle(out, uint16_t{0});  // comment, disk, internal attributes
  AppendLittle(out, uint32_t{0});                              // external attributes
  AppendLittle(out, offset);
  out += name;
}

}  // namespace

absl::StatusOr<std::string> WriteNpz(const std::vector<std::pair<std::string, Tensor>>& arrays) {
  constexpr uint64_t kMaxBytes = std::numeric_limits<uint32_t>::max();
  if (arrays.size() >= std::numeric_limits<uint16_t>::max()) {
    return absl::ResourceExhaustedError(absl::StrCat("npz: ", arrays.size(), " arrays"));
  }
  std::string out, directory;
  std::set<std::string_view> seen;
  for (const auto& [array_name, tensor] : arrays) {
    if (array_name.empty() || array_name.size() > kLongestName || !seen.insert(array_name).second) {
      return absl::InvalidArgumentError(absl::StrCat("npz: the array name '", array_name.substr(0, 80),
                                                     "' is empty, too long or there twice"));
    }
    ESPALIER_ASSIGN_OR_RETURN(const std::string array, WriteNpy(tensor));
    const std::string name = array_name + ".npy";
    if (out.size() + array.size() + directory.size() + 2 * name.size() + 128 > kMaxBytes) {
      return absl::ResourceExhaustedError("npz: the archive would be 4 GiB or larger");
    }
    const auto crc =
        static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(array.data()), array.size()));
    std::string fields;
    AppendFields(fields, crc, static_cast<uint32_t>(array.size()), name);
    AppendDirectoryEntry(directory, fields, static_cast<uint32_t>(out.size()), name);
    out += "PK\x03\x04";
    out += fields;
    out += name;
    out += array;
  }
  const auto begin = static_cast<uint32_t>(out.size()), length = static_cast<uint32_t>(directory.size());
  const auto count = static_cast<uint16_t>(arrays.size());
  out += directory;
  out += "PK\x05\x06";
  for (const uint16_t field : {uint16_t{0}, uint16_t{0}, count, count}) AppendLittle(out, field);
  AppendLittle(out, length);
  AppendLittle(out, begin);
  AppendLittle(out, uint16_t{0});  // comment
  return out;
}

}  // namespace espalier::formats
