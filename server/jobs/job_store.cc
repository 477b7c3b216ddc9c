#include "server/jobs/job_store.h"

#include <sys/random.h>

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr int32_t kDefaultPage = 100;
constexpr int32_t kMaxPage = 1000;

double Now() {
  return absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
}

// 128 random bits: nobody guesses another client's job.
absl::StatusOr<std::string> NewId() {
  std::array<char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return absl::InternalError("the system gives no random bytes");
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

absl::Status Unknown(const std::string& id) {
  return absl::NotFoundError(absl::StrCat("no job '", absl::CHexEscape(id.substr(0, 64)), "' is held"));
}

// The row of a job; nullopt when there is none.
std::optional<int64_t> NumberOf(Database::Session& session, const std::string& id) {
  Statement find(session, "SELECT number FROM jobs WHERE id=?");
  if (!find.Text(id).Next()) return std::nullopt;
  return find.IntegerAt(0);
}

// Gives the event its number and writes it.
void Write(Database::Session& session, int64_t job, v1::JobEvent& event) {
  Statement next(session,
                 "UPDATE jobs SET last_sequence=last_sequence+1 WHERE number=? RETURNING last_sequence");
  if (!next.Integer(job).Next()) return;
  event.set_sequence(next.IntegerAt(0));
  event.set_time_s(Now());
  next.Run();
  Statement insert(session, "INSERT INTO events(job, sequence, event) VALUES(?, ?, ?)");
  insert.Integer(job).Integer(event.sequence()).Bytes(event.SerializeAsString()).Run();
}

constexpr const char* kColumns =
    "number, id, label, client, state, attempts, created_s, started_s, finished_s, last_sequence, answer, "
    "why, error";

// The columns of kColumns.
v1::Job ReadJob(const Statement& row) {
  v1::Job job;
  job.set_job_id(row.BytesAt(1));
  job.set_label(row.BytesAt(2));
  job.set_client(row.BytesAt(3));
  job.set_state(static_cast<v1::JobState>(row.IntegerAt(4)));
  job.set_attempts(static_cast<int32_t>(row.IntegerAt(5)));
  job.set_created_s(row.RealAt(6));
  job.set_started_s(row.RealAt(7));
  job.set_finished_s(row.RealAt(8));
  job.set_last_sequence(row.IntegerAt(9));
  job.set_answer(static_cast<v1::Answer>(row.IntegerAt(10)));
  job.set_limit(static_cast<v1::Limit>(row.IntegerAt(11)));
  if (const std::string error = row.BytesAt(12); !error.empty()) job.mutable_error()->ParseFromString(error);
  return job;
}

bool Ended(int64_t state) {
  return state == v1::JOB_STATE_DONE || state == v1::JOB_STATE_FAILED || state == v1::JOB_STATE_CANCELLED;
}

std::string FindRequestIn(Database::Session& session, const std::string& client,
                          const std::string& request_id) {
  if (request_id.empty()) return "";
  Statement find(session, "SELECT id FROM jobs WHERE client=? AND request_id=?");
  return find.Text(client).Text(request_id).Next() ? find.BytesAt(0) : "";
}

}  // namespace

absl::StatusOr<std::string> JobStore::FindRequest(const std::string& client, const std::string& request_id) {
  Database::Session session(database_);
  std::string id = FindRequestIn(session, client, request_id);
  if (!session.status().ok()) return session.status();
  return id;
}

absl::StatusOr<JobStore::Inserted> JobStore::Insert(const std::string& client,
                                                    const v1::SubmitRequest& request) {
  ESPALIER_ASSIGN_OR_RETURN(std::string id, NewId());
  Database::Session session(database_);
  if (std::string known = FindRequestIn(session, client, request.request_id()); !known.empty())
    return Inserted{std::move(known), true};
  Statement insert(session,
                   "INSERT INTO jobs(id, client, request_id, label, state, created_s, request) "
                   "VALUES(?, ?, NULLIF(?, ''), ?, ?, ?, ?) RETURNING number");
  insert.Text(id).Text(client).Text(request.request_id()).Text(request.label());
  insert.Integer(v1::JOB_STATE_QUEUED).Real(Now()).Bytes(request.verify().SerializeAsString());
  if (insert.Next()) {
    const int64_t number = insert.IntegerAt(0);
    insert.Run();
    v1::JobEvent event;
    event.mutable_queued();
    Write(session, number, event);
  }
  ESPALIER_RETURN_IF_ERROR(session.Commit());
  return Inserted{std::move(id), false};
}

absl::StatusOr<int32_t> JobStore::Start(const std::string& id) {
  Database::Session session(database_);
  v1::JobEvent event;
  {
    Statement update(
        session,
        "UPDATE jobs SET state=?, attempts=attempts+1, started_s=? WHERE id=? RETURNING number, attempts");
    update.Integer(v1::JOB_STATE_RUNNING).Real(Now()).Text(id);
    if (!update.Next()) return session.status().ok() ? Unknown(id) : session.status();
    event.mutable_started()->set_attempt(static_cast<int32_t>(update.IntegerAt(1)));
    const int64_t number = update.IntegerAt(0);
    update.Run();
    Write(session, number, event);
  }
  ESPALIER_RETURN_IF_ERROR(session.Commit());
  return event.started().attempt();
}

absl::Status JobStore::Requeue(const std::string& id, const std::string& reason) {
  Database::Session session(database_);
  const std::optional<int64_t> number = NumberOf(session, id);
  if (!number) return session.status().ok() ? Unknown(id) : session.status();
  Statement(session, "UPDATE jobs SET state=? WHERE number=?")
      .Integer(v1::JOB_STATE_QUEUED)
      .Integer(*number)
      .Run();
  v1::JobEvent event;
  event.mutable_queued()->set_reason(reason);
  Write(session, *number, event);
  return session.Commit();
}

absl::Status JobStore::Append(const std::string& id, std::vector<v1::JobEvent> events) {
  Database::Session session(database_);
  const std::optional<int64_t> number = NumberOf(session, id);
  if (!number) return session.status().ok() ? Unknown(id) : session.status();
  for (v1::JobEvent& event : events) Write(session, *number, event);
  return session.Commit();
}

absl::Status JobStore::Finish(const std::string& id, const v1::JobFinished& finished) {
  Database::Session session(database_);
  const std::optional<int64_t> number = NumberOf(session, id);
  if (!number) return session.status().ok() ? Unknown(id) : session.status();
  Statement update(
      session, "UPDATE jobs SET state=?, finished_s=?, answer=?, why=?, result=?, error=? WHERE number=?");
  update.Integer(finished.state()).Real(Now()).Integer(finished.result().answer());
  update.Integer(finished.result().limit());
  update.Bytes(finished.has_result() ? finished.result().SerializeAsString() : "");
  update.Bytes(finished.has_error() ? finished.error().SerializeAsString() : "").Integer(*number).Run();
  v1::JobEvent event;
  *event.mutable_finished() = finished;
  Write(session, *number, event);
  return session.Commit();
}

absl::Status JobStore::MarkCancelled(const std::string& id) {
  Database::Session session(database_);
  Statement(session, "UPDATE jobs SET cancel=1 WHERE id=?").Text(id).Run();
  return session.Commit();
}

absl::StatusOr<v1::Job> JobStore::Get(const std::string& id) {
  Database::Session session(database_);
  Statement find(session,
                 absl::StrCat("SELECT ", kColumns, ", request, result FROM jobs WHERE id=?").c_str());
  if (!find.Text(id).Next()) return session.status().ok() ? Unknown(id) : session.status();
  v1::Job job = ReadJob(find);
  job.mutable_verify()->ParseFromString(find.BytesAt(13));
  if (const std::string result = find.BytesAt(14); !result.empty())
    job.mutable_result()->ParseFromString(result);
  return job;
}

absl::StatusOr<std::string> JobStore::ClientOf(const std::string& id) {
  Database::Session session(database_);
  Statement find(session, "SELECT client FROM jobs WHERE id=?");
  if (!find.Text(id).Next()) return session.status().ok() ? Unknown(id) : session.status();
  return find.BytesAt(0);
}

absl::StatusOr<v1::ListJobsResponse> JobStore::List(const v1::ListJobsRequest& request,
                                                    const std::string& client) {
  const int32_t size = request.page_size() == 0 ? kDefaultPage : request.page_size();
  if (size < 1 || size > kMaxPage)
    return absl::InvalidArgumentError(absl::StrCat("page_size: ", size, " is not between 1 and ", kMaxPage));
  int64_t below = INT64_MAX;
  if (!request.page_token().empty() && !absl::SimpleAtoi(request.page_token(), &below))
    return absl::InvalidArgumentError("page_token: not one of this server");
  Database::Session session(database_);
  const bool all = request.state() == v1::JOB_STATE_UNSPECIFIED;
  Statement page(
      session,
      absl::StrCat("SELECT ", kColumns, " FROM jobs WHERE number<? ", all ? "AND ?=0 " : "AND state=? ",
                   client.empty() ? "AND ?=''" : "AND client=?", " ORDER BY number DESC LIMIT ?")
          .c_str());
  page.Integer(below).Integer(request.state()).Text(client).Integer(size + 1);
  v1::ListJobsResponse response;
  int64_t last = 0;
  while (page.Next()) {
    if (response.jobs_size() == size) {
      response.set_next_page_token(absl::StrCat(last));
      break;
    }
    last = page.IntegerAt(0);
    v1::Job& job = *response.add_jobs();
    job = ReadJob(page);
    job.mutable_error()->clear_details();
    if (job.state() != v1::JOB_STATE_FAILED) job.clear_error();
  }
  if (!session.status().ok()) return session.status();
  return response;
}

absl::Status JobStore::Delete(const std::string& id) {
  Database::Session session(database_);
  {
    Statement find(session, "SELECT state FROM jobs WHERE id=?");
    if (!find.Text(id).Next()) return session.status().ok() ? Unknown(id) : session.status();
    if (!Ended(find.IntegerAt(0)))
      return absl::FailedPreconditionError("the job has not ended; cancel it first");
  }
  Statement(session, "DELETE FROM jobs WHERE id=?").Text(id).Run();
  return session.Commit();
}

absl::StatusOr<std::vector<v1::JobEvent>> JobStore::Events(const std::string& id, int64_t from,
                                                           int64_t most) {
  Database::Session session(database_);
  const std::optional<int64_t> number = NumberOf(session, id);
  if (!number) return session.status().ok() ? Unknown(id) : session.status();
  Statement find(session, "SELECT event FROM events WHERE job=? AND sequence>=? ORDER BY sequence LIMIT ?");
  find.Integer(*number).Integer(from).Integer(most);
  std::vector<v1::JobEvent> events;
  while (find.Next()) {
    if (!events.emplace_back().ParseFromString(find.BytesAt(0)))
      return absl::DataLossError(absl::StrCat("event of job ", id, " cannot be read"));
  }
  if (!session.status().ok()) return session.status();
  return events;
}

absl::StatusOr<std::vector<JobStore::Unfinished>> JobStore::FindUnfinished() {
  Database::Session session(database_);
  Statement find(
      session,
      "SELECT id, client, state, cancel, attempts, request FROM jobs WHERE state IN (?, ?) ORDER BY number");
  find.Integer(v1::JOB_STATE_QUEUED).Integer(v1::JOB_STATE_RUNNING);
  std::vector<Unfinished> jobs;
  while (find.Next()) {
    Unfinished& job = jobs.emplace_back();
    job.id = find.BytesAt(0);
    job.client = find.BytesAt(1);
    job.running = find.IntegerAt(2) == v1::JOB_STATE_RUNNING;
    job.cancelled = find.IntegerAt(3) != 0;
    job.attempts = static_cast<int32_t>(find.IntegerAt(4));
    job.request.ParseFromString(find.BytesAt(5));
  }
  if (!session.status().ok()) return session.status();
  return jobs;
}

}  // namespace espalier::server
