// Files that are replaced whole or not at all: a reader, a crash or a full disk never leaves half of one.
//
//   absl::Status written = WriteFileAtomically("net.onnx", bytes);   // the old net.onnx stays when this
//   fails
#pragma once

#include <string>

#include "absl/status/status.h"

namespace espalier::client {

// Writes a temporary file beside `path` (PATH.part), syncs it to the disk and renames it. A symbolic link
// stays one, and what is no regular file (a device, a pipe) is written in place. The error names `path` and
// the system's reason.
absl::Status WriteFileAtomically(const std::string& path, const std::string& bytes);

// Whether a file can be made where `path` is, so that hours of work are not begun in vain.
absl::Status CheckWritable(const std::string& path);

// A new or renamed file is on the disk only when its directory is.
void SyncDirectoryOf(const std::string& path);

}  // namespace espalier::client
