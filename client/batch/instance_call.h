// One instance on one server: files read and sent, the answer or the error put into a record.
//
//   InstanceCall call(link, options, "auto", [](const v1::Progress&) {});
//   Attempt attempt = call.Run(instance, timeout_s, models, record);
//   if (attempt.kind == Attempt::Kind::kDone) ... record holds a verdict or an error ...
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "client/batch/file_cache.h"
#include "client/batch/record.h"
#include "client/batch/server_link.h"
#include "espalier/v1/options.pb.h"

namespace espalier::client {

struct Attempt {
  enum class Kind {
    kDone,         // the record holds a verdict, or an error of this instance
    kServerFull,   // try again after `retry_delay_s`
    kServerLost,   // a named server went away
    kWrongOption,  // `reason`; every instance would fail of it
    kCancelled,    // by Cancel
  };
  Kind kind = Kind::kDone;
  bool accepted = false;  // the server had begun to answer
  double retry_delay_s = 0;
  std::string reason = {};
};

class InstanceCall {
 public:
  // `options` and `link` outlive the call; `link` is ready.
  InstanceCall(ServerLink& link, const v1::Options& options, std::string device,
               std::function<void(const v1::Progress&)> on_progress)
      : link_(link), options_(options), device_(std::move(device)), on_progress_(std::move(on_progress)) {}

  // Once. The limit counts from here: reading and sending are part of it. `model` keeps the file alive for
  // the next instance.
  Attempt Run(const Instance& instance, FileCache& models, LoadedFilePtr& model, InstanceRecord& record);

  // From any thread.
  void Cancel();

 private:
  Attempt SendAndCall(const LoadedFile& model, const LoadedFile& query, InstanceRecord& record);
  Attempt Call(v1::VerifyRequest& request, InstanceRecord& record);
  Attempt Judge(const grpc::Status& status, bool accepted, InstanceRecord& record);
  Attempt OutOfTime(bool accepted, const v1::VerifyResult& result, InstanceRecord& record);
  void Answer(const v1::VerifyResult& result, InstanceRecord& record) const;

  ServerLink& link_;
  const v1::Options& options_;
  const std::string device_;
  const std::function<void(const v1::Progress&)> on_progress_;
  absl::Time start_;
  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;
  bool cancelled_ = false;
};

}  // namespace espalier::client
