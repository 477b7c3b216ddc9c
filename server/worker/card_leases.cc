#include "server/worker/card_leases.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"

namespace espalier::server {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(10);  // how soon a stop is noticed

}  // namespace

CardLeases::Lease::Lease(Lease&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      card_(other.card_),
      end_(other.end_),
      failure_(std::move(other.failure_)) {}

CardLeases::Lease::~Lease() {
  if (owner_ != nullptr) owner_->Give(*this);
}

int64_t CardLeases::FindFree(int64_t card) const {
  if (card != kAnyCard) return cards_[static_cast<size_t>(card)].taken ? -1 : card;
  const auto works = [](const Card& c) { return c.failure.empty(); };
  const bool choosy = std::any_of(cards_.begin(), cards_.end(), works);
  for (size_t i = 0; i < cards_.size(); ++i) {
    if (!cards_[i].taken && (!choosy || works(cards_[i]))) return static_cast<int64_t>(i);
  }
  return -1;
}

std::optional<CardLeases::Lease> CardLeases::Take(int64_t card, const StopToken& stop) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    if (const int64_t found = FindFree(card); found >= 0) {
      cards_[static_cast<size_t>(found)].taken = true;
      return Lease(*this, found);
    }
    if (stop.StopRequested()) return std::nullopt;
    freed_.wait_for(lock, kPoll);
  }
}

std::optional<CardLeases::Lease> CardLeases::TakeFailed(const StopToken& stop) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop.StopRequested()) {
    absl::Time next = absl::InfiniteFuture();
    for (size_t i = 0; i < cards_.size(); ++i) {
      Card& card = cards_[i];
      if (card.taken || card.failure.empty()) continue;
      if (card.rested <= absl::Now()) {
        card.taken = true;
        return Lease(*this, static_cast<int64_t>(i));
      }
      next = std::min(next, card.rested);
    }
    if (next == absl::InfiniteFuture()) {
      freed_.wait(lock);
    } else {
      freed_.wait_for(lock, absl::ToChronoNanoseconds(next - absl::Now()));
    }
  }
  return std::nullopt;
}

void CardLeases::Wake() {
  std::lock_guard<std::mutex> lock(mutex_);
  freed_.notify_all();
}

void CardLeases::Give(const Lease& lease) {
  bool changed = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Card& card = cards_[static_cast<size_t>(lease.card_)];
    card.taken = false;
    const bool failed = !card.failure.empty();
    if (lease.end_ == Lease::End::kWorked) card.failure.clear();
    if (lease.end_ == Lease::End::kFailed) card.failure = lease.failure_;
    changed = failed != !card.failure.empty();
    if (!card.failure.empty()) {
      card.rest = failed ? std::min(2 * card.rest, rests_.longest) : rests_.first;
      card.rested = absl::Now() + card.rest;
    }
    freed_.notify_all();
  }
  if (changed && changed_ != nullptr) changed_();
}

std::vector<CardLeases::Failure> CardLeases::Failures() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Failure> failures;
  for (size_t i = 0; i < cards_.size(); ++i) {
    if (!cards_[i].failure.empty()) failures.push_back({static_cast<int64_t>(i), cards_[i].failure});
  }
  return failures;
}

}  // namespace espalier::server
