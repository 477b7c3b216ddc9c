#include "client/file_bytes.h"

#include <sys/stat.h>
#include <zlib.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace espalier::client {
namespace {

constexpr size_t kMaxBytes = size_t{2} << 30;
constexpr size_t kStep = size_t{1} << 20;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

absl::Status ErrnoStatus(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("'", path, "'"));
}

absl::Status TooLarge(const std::string& path) {
  return absl::ResourceExhaustedError(absl::StrCat("'", path, "' holds more than 2 GiB"));
}

absl::StatusOr<std::string> Gunzip(const std::string& packed, const std::string& path) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return absl::InternalError("zlib does not start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ended(&stream, inflateEnd);
  std::string bytes;
  size_t used = 0;
  int result = Z_OK;
  while (result != Z_STREAM_END) {
    if (bytes.size() > kMaxBytes) return TooLarge(path);
    const size_t filled = bytes.size();
    bytes.resize(filled + kStep);
    const size_t offered = std::min(kStep, packed.size() - used);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + used));
    stream.avail_in = static_cast<uInt>(offered);
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + filled);
    stream.avail_out = static_cast<uInt>(kStep);
    result = inflate(&stream, Z_NO_FLUSH);
    used += offered - stream.avail_in;
    bytes.resize(bytes.size() - stream.avail_out);
    if (result != Z_OK && result != Z_STREAM_END) {
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' is no complete gzip file"));
    }
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> ReadFileBytes(const std::string& path) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return ErrnoStatus(path);
  struct stat info {};
  if (fstat(fileno(file.get()), &info) != 0) return ErrnoStatus(path);
  if (S_ISDIR(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat("'", path, "' is a directory"));
  std::string bytes;
  // One byte more than a regular file has, so that its end is seen without growing; pipes have size 0 and
  // grow.
  size_t capacity = static_cast<size_t>(info.st_size) + 1;
  while (true) {
    const size_t filled = bytes.size();
    if (filled > kMaxBytes || capacity > kMaxBytes) return TooLarge(path);
    bytes.resize(filled + capacity);
    const size_t count = std::fread(bytes.data() + filled, 1, capacity, file.get());
    bytes.resize(filled + count);
    if (count < capacity) break;
    capacity = kStep;
  }
  if (std::ferror(file.get())) return ErrnoStatus(path);
  const bool gzip =
      bytes.size() > 2 && static_cast<uint8_t>(bytes[0]) == 0x1f && static_cast<uint8_t>(bytes[1]) == 0x8b;
  return gzip ? Gunzip(bytes, path) : std::move(bytes);
}

absl::Status WriteFileBytes(const std::string& path, const std::string& bytes) {
  std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) return ErrnoStatus(path);
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  if (!written || std::fclose(file.release()) != 0) return ErrnoStatus(path);
  return absl::OkStatus();
}

}  // namespace espalier::client
