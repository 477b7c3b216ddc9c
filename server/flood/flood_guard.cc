#include "server/flood/flood_guard.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/log.h"

namespace espalier::server {
namespace {

// A flood brings some thousands of calls in the time between two looks.
constexpr absl::Duration kPause = absl::Milliseconds(20);
constexpr absl::Duration kQuietPause = absl::Milliseconds(100);  // while nobody calls
constexpr absl::Duration kLongestPause = absl::Seconds(1);       // after a look that took long itself

}  // namespace

FloodGuard::FloodGuard(const CallLimits& limits, ConnectionAcceptor& acceptor, Counters& counters)
    : limits_(limits), acceptor_(acceptor), counters_(counters), thread_([this] { Watch(); }) {}

FloodGuard::~FloodGuard() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool FloodGuard::Wait(absl::Duration pause) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_for(lock, absl::ToChronoNanoseconds(pause), [this] { return ended_; });
}

void FloodGuard::Watch() {
  int64_t counted = 0, looked_at = 0;
  bool again = false;
  absl::Duration pause = kPause;
  while (Wait(pause)) {
    const int64_t started = accounts_.Started();
    pause = started == std::exchange(counted, started) ? kQuietPause : kPause;
    // To look at each connection costs something; none can hold many more than when it was last looked at.
    if (!again && started - looked_at < limits_.of_one / 2) continue;
    looked_at = started;
    const absl::Time start = absl::Now();
    again = Look();
    pause = std::clamp(absl::Now() - start, kPause, kLongestPause);
  }
}

bool FloodGuard::Look() {
  std::vector<HeldCalls> held = accounts_.Held();
  const int64_t sum = SumOf(held);
  int64_t left_behind = 0;
  if (sum > limits_.of_one) {
    const OpenConnections open;
    std::erase_if(held, [&](const HeldCalls& one) { return !open.Has(one.connection); });
    left_behind = sum - SumOf(held);
    HangUp(open, TooMany(std::move(held), limits_), sum);
  }
  // This goes away by itself, unlike the calls of open connections: nobody can keep others out for long.
  const bool full = left_behind > limits_.of_all / 2;
  acceptor_.Pause(full);
  return full || sum > limits_.of_all;
}

void FloodGuard::HangUp(const OpenConnections& open, const std::vector<HeldCalls>& held, int64_t sum) {
  int64_t count = 0;
  for (const HeldCalls& one : held) count += open.HangUp(one.connection) ? 1 : 0;
  if (count == 0) return;
  counters_.CountHangUps(count);
  // One line for all, so that a flood of connections is none of lines.
  Log(LogLevel::kWarning, {{"event", "flood"},
                           {"hung_up", absl::StrCat(count)},
                           {"calls_held", absl::StrCat(sum)},
                           {"most_by", held.front().connection.remote},
                           {"most", absl::StrCat(held.front().calls)}});
}

}  // namespace espalier::server
