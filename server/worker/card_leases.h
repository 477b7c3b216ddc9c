// Which run computes on which card, and which cards work: a card belongs to one run at a time, the others
// wait.
//
//   CardLeases cards(2);
//   std::optional<CardLeases::Lease> lease = cards.Take(CardLeases::kAnyCard, stop);   // nullopt: stopped
//   run on card lease->card();
//   lease->Worked();                                   // or, when the card has failed:
//   lease->Fail("unspecified launch failure");
//
// A card that failed is lost to the process that used it, not necessarily to the next one. It counts as
// failed until a run on it ends well. Until then runs that may take any card leave it out while another one
// works, and somebody tries it again and again: TakeFailed, with longer and longer rests. Thread-safe;
// outlives its leases.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

// As it stands in errors of runs whose card failed for good.
inline constexpr char kDeviceLostReason[] = "DEVICE_LOST";

class CardLeases {
 public:
  static constexpr int64_t kAnyCard = -1;

  class Lease {
   public:
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    int64_t card() const { return card_; }  // from 0
    // What the run says of the card; the last word counts. None: nothing new.
    void Worked() { end_ = End::kWorked; }
    void Fail(std::string why) { end_ = End::kFailed, failure_ = std::move(why); }

   private:
    friend class CardLeases;
    enum class End { kNothingNew, kWorked, kFailed };
    Lease(CardLeases& owner, int64_t card) : owner_(&owner), card_(card) {}
    CardLeases* owner_;  // null: moved from
    int64_t card_;
    End end_ = End::kNothingNew;
    std::string failure_;
  };

  struct Rests {
    absl::Duration first = absl::Seconds(1), longest = absl::Seconds(60);  // each twice the last
  };
  // `changed` is called, without a lock, after a card has failed or works again; may be null.
  explicit CardLeases(int64_t cards, std::function<void()> changed = nullptr)
      : CardLeases(cards, std::move(changed), Rests{}) {}
  CardLeases(int64_t cards, std::function<void()> changed, Rests rests)
      : changed_(std::move(changed)), rests_(rests), cards_(static_cast<size_t>(cards)) {}

  int64_t count() const { return static_cast<int64_t>(cards_.size()); }

  // Waits until the card (0 <= card < count()), or any, is free. nullopt when `stop` fires first.
  std::optional<Lease> Take(int64_t card, const StopToken& stop);
  // Waits until a card that failed is free and has rested. nullopt when `stop` was cancelled and Wake called.
  std::optional<Lease> TakeFailed(const StopToken& stop);
  void Wake();

  struct Failure {
    int64_t card;
    std::string why;
  };
  std::vector<Failure> Failures() const;

 private:
  struct Card {
    bool taken = false;
    std::string failure;  // empty: none
    absl::Duration rest;  // after the latest one
    absl::Time rested;
  };
  int64_t FindFree(int64_t card) const;  // requires mutex_; -1: none
  void Give(const Lease& lease);

  const std::function<void()> changed_;
  const Rests rests_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<Card> cards_;
};

}  // namespace espalier::server
