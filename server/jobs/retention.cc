#include "server/jobs/retention.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "espalier/v1/jobs.pb.h"
#include "server/log.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr double kInterval = 5;   // seconds between looks
constexpr double kPause = 0.02;   // between batches, for the calls that wait
constexpr int64_t kPages = 1024;  // that are given back at a time: 4 MiB

// The end of the last job that has to go because newer ones fill the number that is kept; 0: none.
double EndBeyond(Database::Session& session, int64_t kept) {
  Statement find(
      session,
      "SELECT finished_s FROM jobs WHERE finished_s>0 ORDER BY finished_s DESC, number DESC LIMIT 1 "
      "OFFSET ?");
  return find.Integer(kept).Next() ? find.RealAt(0) : 0;
}

int64_t Changes(Database::Session& session) {
  Statement count(session, "SELECT changes()");
  return count.Next() ? count.IntegerAt(0) : 0;
}

int64_t CountBeyond(Database::Session& session, int64_t kept) {
  Statement count(session, "SELECT COUNT(*) FROM jobs WHERE finished_s>0");
  return count.Next() ? std::max<int64_t>(0, count.IntegerAt(0) - kept) : 0;
}

}  // namespace

Retention::Retention(Database& database, const RetentionLimits& limits)
    : database_(database), limits_(limits) {
  thread_ = std::thread([this] { Work(); });
}

Retention::~Retention() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::StatusOr<int64_t> Retention::Sweep(Database& database, const RetentionLimits& limits, double now_s) {
  Database::Session session(database);
  int64_t most = kBatch;
  double until = limits.seconds > 0 ? now_s - limits.seconds : 0;
  // By number: as many as are too many, so that of jobs which ended at the same moment none goes too much.
  if (limits.jobs > 0) {
    if (const double beyond = EndBeyond(session, limits.jobs); beyond > until) {
      until = beyond;
      most = std::min(most, CountBeyond(session, limits.jobs));
    }
  }
  if (until <= 0) return session.status().ok() ? absl::StatusOr<int64_t>(0) : session.status();
  Statement(session,
            "DELETE FROM jobs WHERE number IN (SELECT number FROM jobs WHERE finished_s>0 AND finished_s<=? "
            "AND state IN (?, ?, ?) ORDER BY finished_s, number LIMIT ?)")
      .Real(until)
      .Integer(v1::JOB_STATE_DONE)
      .Integer(v1::JOB_STATE_FAILED)
      .Integer(v1::JOB_STATE_CANCELLED)
      .Integer(most)
      .Run();
  const int64_t deleted = Changes(session);
  ESPALIER_RETURN_IF_ERROR(session.Commit());
  return deleted;
}

absl::StatusOr<bool> Retention::Shrink(Database& database) {
  Database::Session session(database);
  int64_t free = 0;
  {
    Statement count(session, "PRAGMA freelist_count");
    if (count.Next()) free = count.IntegerAt(0);
  }
  if (free > 0) Statement(session, absl::StrCat("PRAGMA incremental_vacuum(", kPages, ")").c_str()).Run();
  ESPALIER_RETURN_IF_ERROR(session.Commit());
  return free > kPages;
}

bool Retention::Wait(double seconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return ended_; });
}

void Retention::Work() {
  do {
    absl::StatusOr<int64_t> deleted = 0;
    int64_t all = 0;
    do {
      deleted = Sweep(database_, limits_, absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
      all += deleted.value_or(0);
    } while (deleted.value_or(0) > 0 && Wait(kPause));
    if (all > 0) Log(LogLevel::kInfo, {{"event", "forgotten"}, {"jobs", absl::StrCat(all)}});
    absl::StatusOr<bool> more = deleted.ok();
    while (more.value_or(false)) more = Wait(kPause) ? Shrink(database_) : absl::StatusOr<bool>(false);
    for (const absl::Status& status : {deleted.status(), more.status()}) {
      if (!status.ok())
        Log(LogLevel::kError, {{"event", "forgotten"}, {"error", std::string(status.message())}});
    }
  } while (Wait(kInterval));
}

}  // namespace espalier::server
