#include "server/jobs/checkpoint_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace espalier::server {
namespace {

constexpr const char* kPart = ".part";  // being written, or left so by a server that was killed

absl::Status Failed(const std::string& path) {
  const std::string text = absl::StrCat("checkpoint '", path, "': ", std::strerror(errno));
  return errno == ENOSPC ? absl::ResourceExhaustedError(text) : absl::InternalError(text);
}

bool WriteAll(int fd, const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

bool SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

}  // namespace

absl::Status CheckpointStore::Write(const std::string& job, const std::string& bytes) {
  const std::string part = PathOf(job) + kPart;
  const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Failed(part);
  const bool written = WriteAll(fd, bytes) && fsync(fd) == 0;
  absl::Status status = written ? absl::OkStatus() : Failed(part);
  close(fd);
  if (status.ok() && rename(part.c_str(), PathOf(job).c_str()) != 0) status = Failed(part);
  if (status.ok() && !SyncFolder(folder_)) status = Failed(folder_);
  if (!status.ok()) unlink(part.c_str());
  return status;
}

std::string CheckpointStore::Read(const std::string& job) const {
  std::ifstream file(PathOf(job), std::ios::binary);
  if (!file) return "";
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool CheckpointStore::Has(const std::string& job) const {
  return access(PathOf(job).c_str(), R_OK) == 0;
}

absl::Status CheckpointStore::Copy(const std::string& from, const std::string& to) {
  const std::string bytes = Read(from);
  if (bytes.empty()) return absl::NotFoundError("the job has no checkpoint");
  return Write(to, bytes);
}

void CheckpointStore::Remove(const std::string& job) {
  unlink(PathOf(job).c_str());
}

std::vector<std::string> CheckpointStore::Jobs() const {
  std::vector<std::string> jobs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    if (!absl::EndsWith(name, kPart)) jobs.push_back(name);
  }
  return jobs;
}

}  // namespace espalier::server
