#include "client/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace espalier::client {
namespace {

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot write '", path, "'"));
}

// Where the bytes go in the end: the target of a link.
std::string Resolved(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string resolved = real;
  std::free(real);
  return resolved;
}

bool IsSpecial(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
}

// 0, or errno. Closes the descriptor.
int WriteAll(int descriptor, const std::string& bytes, bool sync) {
  size_t written = 0;
  int error = 0;
  while (written < bytes.size() && error == 0) {
    const ssize_t count = write(descriptor, bytes.data() + written, bytes.size() - written);
    if (count >= 0) {
      written += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && sync && fsync(descriptor) != 0) error = errno;
  if (close(descriptor) != 0 && error == 0) error = errno;
  return error;
}

// An open temporary file beside `path`; -1 and errno. Always the same name: what a killed process left is
// replaced.
int OpenTemporary(const std::string& path, std::string& name) {
  name = path + ".part";
  return open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
}

}  // namespace

void SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

absl::Status WriteFileAtomically(const std::string& path, const std::string& bytes) {
  const std::string target = Resolved(path);
  if (IsSpecial(target)) {
    const int descriptor = open(target.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return CannotWrite(path, errno);
    const int error = WriteAll(descriptor, bytes, /*sync=*/false);
    return error == 0 ? absl::OkStatus() : CannotWrite(path, error);
  }
  std::string temporary;
  const int descriptor = OpenTemporary(target, temporary);
  if (descriptor < 0) return CannotWrite(path, errno);
  int error = WriteAll(descriptor, bytes, /*sync=*/true);
  if (error == 0 && rename(temporary.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return CannotWrite(path, error);
  }
  SyncDirectoryOf(target);
  return absl::OkStatus();
}

absl::Status CheckWritable(const std::string& path) {
  const std::string target = Resolved(path);
  if (IsSpecial(target)) {
    const int descriptor = open(target.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return CannotWrite(path, errno);
    close(descriptor);
    return absl::OkStatus();
  }
  std::string temporary;
  const int descriptor = OpenTemporary(target, temporary);
  if (descriptor < 0) return CannotWrite(path, errno);
  close(descriptor);
  unlink(temporary.c_str());
  return absl::OkStatus();
}

}  // namespace espalier::client
