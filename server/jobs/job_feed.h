// Who waits for a job's next event.
//
//   auto subscription = feed.Subscribe(job_id, [this] { Pump(); });
//   feed.Notify(job_id);            // wakes it; events themselves are in the JobStore
//   feed.Unsubscribe(subscription); // when it returns, `wake` does not run and will not run
//
// Thread-safe; `wake` is called without the feed's lock and must not call Unsubscribe of its own
// subscription.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace espalier::server {

class JobFeed {
 public:
  struct Subscription {
    std::string job_id;
    std::mutex mutex;
    std::function<void()> wake;  // guarded by mutex
  };

  std::shared_ptr<Subscription> Subscribe(const std::string& job_id, std::function<void()> wake);
  void Unsubscribe(const std::shared_ptr<Subscription>& subscription);
  void Notify(const std::string& job_id);

  // No event will come any more; wakes everybody.
  void Close();
  bool closed() const;

 private:
  static void Wake(const std::shared_ptr<Subscription>& subscription);

  mutable std::mutex mutex_;
  bool closed_ = false;
  std::multimap<std::string, std::shared_ptr<Subscription>> subscriptions_;
};

}  // namespace espalier::server
