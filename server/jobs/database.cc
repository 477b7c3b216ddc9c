#include "server/jobs/database.h"

#include <sqlite3.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

// Raised by one with every change of the tables; Migrate then learns how to come from the version before.
constexpr int64_t kSchemaVersion = 1;

// jobs.number orders the jobs; jobs.request_id is unique per client. Events live in their primary key's
// order. Columns ending in _s are seconds since 1970.
constexpr const char* kSchema = R"(
  CREATE TABLE jobs(
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, client TEXT NOT NULL, request_id TEXT,
    label TEXT NOT NULL, state INTEGER NOT NULL, cancel INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    created_s REAL NOT NULL, started_s REAL NOT NULL DEFAULT 0, finished_s REAL NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0, answer INTEGER NOT NULL DEFAULT 0, why INTEGER NOT NULL DEFAULT 0,
    request BLOB NOT NULL, result BLOB, error BLOB);
  CREATE UNIQUE INDEX jobs_request ON jobs(client, request_id) WHERE request_id IS NOT NULL;
  CREATE INDEX jobs_state ON jobs(state, number);
  CREATE TABLE events(
    job INTEGER NOT NULL REFERENCES jobs(number) ON DELETE CASCADE, sequence INTEGER NOT NULL, event BLOB NOT NULL,
    PRIMARY KEY(job, sequence)) WITHOUT ROWID;
  CREATE TABLE blobs(sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, used_s REAL NOT NULL) WITHOUT ROWID;
)";

absl::Status ErrorOf(sqlite3* handle) {
  const std::string text = absl::StrCat("database: ", sqlite3_errmsg(handle));
  if (sqlite3_errcode(handle) == SQLITE_FULL) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

// A file that an older program made never gives space back until it is written anew, once. Where that fails
// (the disk is full) everything works as it did.
void MakeShrinkable(sqlite3* handle) {
  constexpr int kIncremental = 2;
  int mode = 0;
  const auto read = [](void* found, int, char** values, char**) {
    *static_cast<int*>(found) = values[0] == nullptr ? 0 : std::atoi(values[0]);
    return 0;
  };
  if (sqlite3_exec(handle, "PRAGMA auto_vacuum", read, &mode, nullptr) != SQLITE_OK || mode == kIncremental)
    return;
  sqlite3_exec(handle, "PRAGMA auto_vacuum=INCREMENTAL; VACUUM", nullptr, nullptr, nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) return ErrorOf(handle);
  // auto_vacuum comes first: it holds for a file from its first table on.
  constexpr const char* kSettings =
      "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=67108864; PRAGMA "
      "synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF";
  if (sqlite3_exec(handle, kSettings, nullptr, nullptr, nullptr) != SQLITE_OK) return ErrorOf(handle);
  ESPALIER_RETURN_IF_ERROR(database->Migrate());
  MakeShrinkable(handle);
  return database;
}

bool Database::HasColumn(Session& session, const char* table, const char* column) {
  Statement find(session, "SELECT 1 FROM pragma_table_info(?) WHERE name=?");
  return find.Text(table).Text(column).Next();
}

absl::Status Database::Migrate() {
  Session session(*this);
  int64_t version = 0;
  {
    Statement read(session, "PRAGMA user_version");
    if (read.Next()) version = read.IntegerAt(0);
  }
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the database has version ", version,
                                                      ", written by a newer espalierd; this one knows ",
                                                      kSchemaVersion));
  }
  if (version == 0) session.Execute(kSchema);
  // What older programs need not know of.
  if (!HasColumn(session, "blobs", "kind")) {
    session.Execute("ALTER TABLE blobs ADD COLUMN kind INTEGER NOT NULL DEFAULT 0");
    session.Execute("ALTER TABLE blobs ADD COLUMN added_s REAL NOT NULL DEFAULT 0");
  }
  session.Execute("CREATE INDEX IF NOT EXISTS jobs_finished ON jobs(finished_s, number) WHERE finished_s>0");
  session.Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion).c_str());
  return session.Commit();
}

Database::~Database() {
  sqlite3_close(handle_);
}

Database::Session::Session(Database& database) : database_(database), lock_(database.mutex_) {
  Execute("BEGIN IMMEDIATE");
  open_ = status_.ok();
}

Database::Session::~Session() {
  if (open_) sqlite3_exec(database_.handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

absl::Status Database::Session::Commit() {
  Execute("COMMIT");
  if (status_.ok()) open_ = false;
  return status_;
}

void Database::Session::Execute(const char* sql) {
  if (status_.ok() && sqlite3_exec(database_.handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) Fail();
}

void Database::Session::Fail() {
  if (status_.ok()) status_ = ErrorOf(database_.handle_);
}

Statement::Statement(Database::Session& session, const char* sql) : session_(session) {
  if (session.status_.ok())
    Check(sqlite3_prepare_v2(session.database_.handle_, sql, -1, &statement_, nullptr));
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

void Statement::Check(int code) {
  if (code != SQLITE_OK) session_.Fail();
}

Statement& Statement::Integer(int64_t value) {
  if (session_.status_.ok()) Check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::Real(double value) {
  if (session_.status_.ok()) Check(sqlite3_bind_double(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::Text(std::string_view value) {
  if (session_.status_.ok()) {
    Check(
        sqlite3_bind_text64(statement_, ++bound_, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  }
  return *this;
}

Statement& Statement::Bytes(std::string_view value) {
  if (session_.status_.ok())
    Check(sqlite3_bind_blob64(statement_, ++bound_, value.data(), value.size(), SQLITE_TRANSIENT));
  return *this;
}

bool Statement::Next() {
  if (!session_.status_.ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) session_.Fail();
  return code == SQLITE_ROW;
}

void Statement::Run() {
  while (Next()) {
  }
}

int64_t Statement::IntegerAt(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::RealAt(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string Statement::BytesAt(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return data == nullptr ? ""
                         : std::string(data, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

}  // namespace espalier::server
