#include "server/jobs/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace espalier::server {
namespace {

absl::Status Cannot(const std::string& path) {
  return absl::InternalError(absl::StrCat("data directory '", path, "': ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& path) {
  const mode_t mask = umask(0077);  // models and results are for the owner only
  std::error_code error;
  std::filesystem::create_directories(path + "/blobs", error);
  if (!error) std::filesystem::create_directories(path + "/checkpoints", error);
  const int lock = error ? -1 : open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (error) errno = error.value();
  absl::StatusOr<std::unique_ptr<DataDirectory>> opened = Cannot(path);
  if (lock >= 0) {
    std::unique_ptr<DataDirectory> directory(new DataDirectory(path, lock));
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
      opened =
          absl::FailedPreconditionError(absl::StrCat("another server uses the data directory '", path, "'"));
    } else {
      absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path + "/espalier.db");
      if (database.ok()) {
        directory->database_ = *std::move(database);
        opened = std::move(directory);
      } else {
        opened = database.status();
      }
    }
  }
  umask(mask);
  return opened;
}

DataDirectory::~DataDirectory() {
  database_.reset();
  close(lock_);
}

}  // namespace espalier::server
