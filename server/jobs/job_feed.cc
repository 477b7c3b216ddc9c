#include "server/jobs/job_feed.h"

#include <utility>
#include <vector>

namespace espalier::server {

std::shared_ptr<JobFeed::Subscription> JobFeed::Subscribe(const std::string& job_id,
                                                          std::function<void()> wake) {
  auto subscription = std::make_shared<Subscription>();
  subscription->job_id = job_id;
  subscription->wake = std::move(wake);
  std::lock_guard<std::mutex> lock(mutex_);
  subscriptions_.emplace(job_id, subscription);
  return subscription;
}

void JobFeed::Unsubscribe(const std::shared_ptr<Subscription>& subscription) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto [first, last] = subscriptions_.equal_range(subscription->job_id);
    for (auto it = first; it != last; ++it) {
      if (it->second != subscription) continue;
      subscriptions_.erase(it);
      break;
    }
  }
  std::lock_guard<std::mutex> lock(subscription->mutex);
  subscription->wake = nullptr;
}

void JobFeed::Wake(const std::shared_ptr<Subscription>& subscription) {
  std::lock_guard<std::mutex> lock(subscription->mutex);
  if (subscription->wake) subscription->wake();
}

void JobFeed::Notify(const std::string& job_id) {
  std::vector<std::shared_ptr<Subscription>> found;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto [first, last] = subscriptions_.equal_range(job_id);
    for (auto it = first; it != last; ++it) found.push_back(it->second);
  }
  for (const auto& subscription : found) Wake(subscription);
}

void JobFeed::Close() {
  std::vector<std::shared_ptr<Subscription>> all;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    for (const auto& [id, subscription] : subscriptions_) all.push_back(subscription);
  }
  for (const auto& subscription : all) Wake(subscription);
}

bool JobFeed::closed() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return closed_;
}

}  // namespace espalier::server
