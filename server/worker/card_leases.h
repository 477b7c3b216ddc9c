// Which run computes on which card: a card belongs to one run at a time, the others wait.
//
//   CardLeases cards(2);
//   std::optional<CardLeases::Lease> lease = cards.Take(CardLeases::kAnyCard, stop);   // nullopt: stopped
//   run on card lease->card();
//   if (card has failed) lease->Fail("unspecified launch failure");
//
// A card that failed is lost to the process that used it, not to the next one: it stays in use, and the first
// run that ends without failing clears Health(). Thread-safe; outlives its leases.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
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
    void Fail(std::string why) { failure_ = std::move(why); }

   private:
    friend class CardLeases;
    Lease(CardLeases& owner, int64_t card) : owner_(&owner), card_(card) {}
    CardLeases* owner_;  // null: moved from
    int64_t card_;
    std::string failure_;
  };

  explicit CardLeases(int64_t cards) : cards_(static_cast<size_t>(cards)) {}

  int64_t count() const { return static_cast<int64_t>(cards_.size()); }

  // Waits until the card (0 <= card < count()), or any, is free. nullopt when `stop` fires first.
  std::optional<Lease> Take(int64_t card, const StopToken& stop);

  // UNAVAILABLE while the last run on some card ended with its failure, with the card's name and what it
  // said.
  absl::Status Health() const;

 private:
  struct Card {
    bool taken = false;
    std::string failure;  // of the last run; empty: none
  };
  int64_t FindFree(int64_t card) const;
  void Give(int64_t card, std::string failure);

  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<Card> cards_;
};

}  // namespace espalier::server
