// The newest checkpoint of each job that has no answer: a file a job, replaced whole or not at all.
//
//   CheckpointStore checkpoints(directory->checkpoints());
//   checkpoints.Write(job_id, bytes);        // on disk when it returns
//   std::string bytes = checkpoints.Read(job_id);   // empty: there is none
//
// What the bytes mean is the engine's business (verifier/api/checkpoint.h); it refuses damaged ones. Names
// are job ids, which this server made. Thread-safe for different jobs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace espalier::server {

class CheckpointStore {
 public:
  // `folder` exists.
  explicit CheckpointStore(std::string folder) : folder_(std::move(folder)) {}

  absl::Status Write(const std::string& job, const std::string& bytes);
  std::string Read(const std::string& job) const;
  bool Has(const std::string& job) const;
  // `to` begins where `from` is.
  absl::Status Copy(const std::string& from, const std::string& to);
  void Remove(const std::string& job);
  // The jobs that have one.
  std::vector<std::string> Jobs() const;

 private:
  std::string PathOf(const std::string& job) const { return folder_ + "/" + job; }

  const std::string folder_;
};

}  // namespace espalier::server
