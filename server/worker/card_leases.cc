#include "server/worker/card_leases.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace espalier::server {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(10);  // how soon a stop is noticed

}  // namespace

CardLeases::Lease::Lease(Lease&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), card_(other.card_), failure_(std::move(other.failure_)) {}

CardLeases::Lease::~Lease() {
  if (owner_ != nullptr) owner_->Give(card_, std::move(failure_));
}

int64_t CardLeases::FindFree(int64_t card) const {
  if (card != kAnyCard) return cards_[static_cast<size_t>(card)].taken ? -1 : card;
  int64_t best = -1;  // one that works before one that failed
  for (size_t i = 0; i < cards_.size(); ++i) {
    if (cards_[i].taken) continue;
    if (best < 0 || (!cards_[static_cast<size_t>(best)].failure.empty() && cards_[i].failure.empty()))
      best = static_cast<int64_t>(i);
  }
  return best;
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

void CardLeases::Give(int64_t card, std::string failure) {
  std::lock_guard<std::mutex> lock(mutex_);
  cards_[static_cast<size_t>(card)] = {false, std::move(failure)};
  freed_.notify_all();
}

absl::Status CardLeases::Health() const {
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < cards_.size(); ++i) {
    if (!cards_[i].failure.empty())
      return absl::UnavailableError(absl::StrCat("cuda:", i, ": ", cards_[i].failure));
  }
  return absl::OkStatus();
}

}  // namespace espalier::server
