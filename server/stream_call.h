// What every call with a stream of answers shares: it writes one event after another, never two at a time,
// and finishes the call once. A slow or vanished reader never blocks whoever makes the events. Owns itself
// until the call is done.
//
//   class CountCall : public StreamCall<v1::Number> { ... };
//   call->Open();                   // once, when the constructor's work is done; nothing is written before
//   call->Pump();                   // there may be something new to send
//   call->Complete(Failure());      // no more events will be made; what NextEvent still gives is sent
//
// Threads: any. NextEvent is called by one thread at a time, with this object's lock held: it must be quick
// and must not call Pump or Complete.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <mutex>
#include <optional>
#include <utility>

#include "server/errors.h"

namespace espalier::server {

template <typename Event>
class StreamCall : public grpc::ServerWriteReactor<Event> {
 protected:
  // The next event to send, nullopt when there is none for now. `failed`: the call is going to end with an
  // error.
  virtual std::optional<Event> NextEvent(bool failed) = 0;
  // Whether the stream ends here although nobody called Complete; `failure` is what it ends with. Called with
  // the lock held, after NextEvent gave nothing.
  virtual bool AtEnd(Failure& /*failure*/) { return false; }
  // Nobody reads any more.
  virtual void OnReaderGone() = 0;
  // The call ends with this, once.
  virtual void OnEnd(const Failure& /*failure*/) {}

  void Open() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      open_ = true;
    }
    Pump();
  }

  // The first call counts. This object may be gone when it returns.
  void Complete(Failure failure) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (completed_) return;
      failure_ = std::move(failure);
      completed_ = true;
    }
    Pump();
  }

  // Writes the next event, or finishes the call, if neither is under way. This object may be gone when it
  // returns.
  void Pump() {
    bool finish = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!open_ || writing_ || finished_) return;
      std::optional<Event> next;
      if (!broken_) next = NextEvent(completed_ && !failure_.ok());
      if (next.has_value()) {
        event_ = *std::move(next);
        writing_ = true;
      } else if (completed_ || AtEnd(failure_)) {
        finish = finished_ = completed_ = true;
      } else {
        return;
      }
    }
    // One caller comes here at a time: writing_ or finished_ keeps the others out.
    if (finish) {
      OnEnd(failure_);
      this->Finish(failure_.ToGrpc());
    } else {
      this->StartWrite(&event_);
    }
  }

 private:
  void OnWriteDone(bool ok) override {
    if (!ok) OnReaderGone();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      writing_ = false;
      broken_ = broken_ || !ok;
    }
    Pump();
  }
  void OnDone() override { delete this; }

  Event event_;  // being written

  std::mutex mutex_;
  bool open_ = false;       // only then may the call finish and this object go
  bool writing_ = false;    // event_ belongs to gRPC
  bool broken_ = false;     // a write failed; the rest is not sent
  bool completed_ = false;  // failure_ is final
  bool finished_ = false;
  Failure failure_;
};

}  // namespace espalier::server
