// Looks after cards that failed: examines each of them again and again until it works, so that a server is
// ready again without a client who takes the risk.
//
//   CardDoctor doctor(cards, [&](CardLeases::Lease& card, const StopToken& stop) {
//     if (a fresh process can compute on card.card()) card.Worked();
//   });
#pragma once

#include <functional>
#include <thread>

#include "server/worker/card_leases.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

class CardDoctor {
 public:
  using Examine = std::function<void(CardLeases::Lease& card, const StopToken& stop)>;
  // `cards` outlives it. `examine` is called from a thread of its own.
  CardDoctor(CardLeases& cards, Examine examine)
      : cards_(cards), examine_(std::move(examine)), thread_([this] { Work(); }) {}
  ~CardDoctor() {
    stop_.Cancel();
    cards_.Wake();
    thread_.join();
  }
  CardDoctor(const CardDoctor&) = delete;
  CardDoctor& operator=(const CardDoctor&) = delete;

 private:
  void Work() {
    while (std::optional<CardLeases::Lease> card = cards_.TakeFailed(stop_.token()))
      examine_(*card, stop_.token());
  }

  CardLeases& cards_;
  const Examine examine_;
  StopSource stop_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace espalier::server
