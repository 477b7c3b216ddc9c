#include "verifier/formats/npy_zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/npy_bytes.h"

namespace espalier::formats {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50, kEntrySignature = 0x02014b50, kLocalSignature = 0x04034b50;
constexpr uint32_t kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50;
constexpr size_t kEndBytes = 22, kEntryBytes = 46, kLocalBytes = 30, kEnd64Bytes = 56, kLocator64Bytes = 20;

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("npz: ", what));
}

bool Inside(std::string_view bytes, uint64_t offset, uint64_t length) {
  return offset <= bytes.size() && length <= bytes.size() - offset;
}

struct Directory {
  uint64_t entries = 0;
  uint64_t offset = 0;
};

absl::StatusOr<Directory> FindDirectory(std::string_view archive) {
  if (archive.size() < kEndBytes) return Invalid("the bytes are no archive");
  // The end record is followed by a comment of at most 65535 bytes.
  const size_t last = archive.size() - kEndBytes;
  const size_t first = last - std::min<size_t>(last, std::numeric_limits<uint16_t>::max());
  size_t end = last;
  while (LoadLittle<uint32_t>(archive, end) != kEndSignature) {
    if (end == first) return Invalid("the bytes are no complete archive: the end record is missing");
    --end;
  }
  Directory directory{LoadLittle<uint16_t>(archive, end + 10), LoadLittle<uint32_t>(archive, end + 16)};
  const bool zip64 = directory.entries == 0xffff || directory.offset == 0xffffffff;
  if (!zip64) return directory;
  if (end < kLocator64Bytes || LoadLittle<uint32_t>(archive, end - kLocator64Bytes) != kLocator64Signature) {
    return Invalid("the ZIP64 locator is missing");
  }
  const uint64_t end64 = LoadLittle<uint64_t>(archive, end - kLocator64Bytes + 8);
  if (!Inside(archive, end64, kEnd64Bytes) || LoadLittle<uint32_t>(archive, end64) != kEnd64Signature) {
    return Invalid("the ZIP64 end record is missing");
  }
  return Directory{LoadLittle<uint64_t>(archive, end64 + 32), LoadLittle<uint64_t>(archive, end64 + 48)};
}

// Sizes of 0xffffffff stand in the ZIP64 extra field instead, in this order.
absl::Status ReadZip64Field(std::string_view extra, ZipEntry& entry) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const uint16_t id = LoadLittle<uint16_t>(extra, at);
    const size_t length = LoadLittle<uint16_t>(extra, at + 2);
    at += 4;
    if (length > extra.size() - at) return Invalid("an extra field is too long");
    if (id == 1) {
      size_t position = at;
      for (uint64_t* value : {&entry.bytes, &entry.packed_bytes, &entry.offset}) {
        if (*value != 0xffffffff) continue;
        if (position + 8 > at + length) return Invalid("a ZIP64 field is too short");
        *value = LoadLittle<uint64_t>(extra, position);
        position += 8;
      }
    }
    at += length;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Inflate(std::string_view packed, uint64_t size) {
  std::string out(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    return absl::ResourceExhaustedError("npz: zlib cannot start");
  constexpr uint64_t kChunk = uint64_t{1} << 30;  // zlib counts in 32 bits
  uint64_t read = 0, written = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    const uint64_t in = std::min(kChunk, packed.size() - read), room = std::min(kChunk, size - written);
    // zlib declares its input non-const but does not write to it.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + read));
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = static_cast<uInt>(room);
    result = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += room - stream.avail_out;
    if (in == stream.avail_in && room == stream.avail_out) break;  // nothing moves any more
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END || written != size) return Invalid("an entry cannot be unpacked");
  return out;
}

}  // namespace

absl::StatusOr<std::vector<ZipEntry>> ListZip(std::string_view archive) {
  ESPALIER_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(archive));
  std::vector<ZipEntry> entries;
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (!Inside(archive, at, kEntryBytes) || LoadLittle<uint32_t>(archive, at) != kEntrySignature) {
      return Invalid("the directory is damaged");
    }
    const uint64_t name_bytes = LoadLittle<uint16_t>(archive, at + 28);
    const uint64_t extra_bytes = LoadLittle<uint16_t>(archive, at + 30);
    const uint64_t comment_bytes = LoadLittle<uint16_t>(archive, at + 32);
    if (!Inside(archive, at + kEntryBytes, name_bytes + extra_bytes + comment_bytes)) {
      return Invalid("the directory is damaged");
    }
    ZipEntry entry;
    entry.name = std::string(archive.substr(at + kEntryBytes, name_bytes));
    const uint16_t flags = LoadLittle<uint16_t>(archive, at + 8),
                   method = LoadLittle<uint16_t>(archive, at + 10);
    if ((flags & 1) != 0 || (method != 0 && method != 8)) {
      return absl::UnimplementedError("npz: an entry is encrypted or neither stored nor deflated");
    }
    entry.deflated = method == 8;
    entry.crc = LoadLittle<uint32_t>(archive, at + 16);
    entry.packed_bytes = LoadLittle<uint32_t>(archive, at + 20);
    entry.bytes = LoadLittle<uint32_t>(archive, at + 24);
    entry.offset = LoadLittle<uint32_t>(archive, at + 42);
    ESPALIER_RETURN_IF_ERROR(
        ReadZip64Field(archive.substr(at + kEntryBytes + name_bytes, extra_bytes), entry));
    entries.push_back(std::move(entry));
    at += kEntryBytes + name_bytes + extra_bytes + comment_bytes;
  }
  return entries;
}

absl::StatusOr<std::string> ExtractZip(std::string_view archive, const ZipEntry& entry, uint64_t limit) {
  if (entry.bytes > limit) {
    return absl::ResourceExhaustedError(absl::StrCat("npz: an entry unpacks to ", entry.bytes, " bytes"));
  }
  if (!Inside(archive, entry.offset, kLocalBytes) ||
      LoadLittle<uint32_t>(archive, entry.offset) != kLocalSignature) {
    return Invalid("an entry's header is damaged");
  }
  const uint64_t begin = entry.offset + kLocalBytes + LoadLittle<uint16_t>(archive, entry.offset + 26) +
                         LoadLittle<uint16_t>(archive, entry.offset + 28);
  if (!Inside(archive, begin, entry.packed_bytes)) return Invalid("an entry lies outside the archive");
  const std::string_view packed = archive.substr(begin, entry.packed_bytes);
  // Deflate shrinks at most about 1032-fold: a larger claim is damage, and nothing is allocated for it.
  constexpr uint64_t kBestRatio = 1040;
  if (entry.deflated ? entry.bytes / kBestRatio > packed.size() : entry.bytes != packed.size()) {
    return Invalid("an entry's sizes contradict each other");
  }
  std::string out;
  if (entry.deflated) {
    ESPALIER_ASSIGN_OR_RETURN(out, Inflate(packed, entry.bytes));
  } else {
    out = std::string(packed);
  }
  if (crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size()) != entry.crc) {
    return Invalid("an entry's checksum is wrong");
  }
  return out;
}

}  // namespace espalier::formats
