// One SQLite database file in WAL mode, as much of SQLite as the server needs.
//
//   auto database = Database::Open("/var/lib/espalier/espalier.db");
//   Database::Session session(**database);                 // one thread at a time
//   Statement insert(session, "INSERT INTO jobs(id) VALUES(?)");
//   insert.Text(id).Run();
//   absl::Status done = session.Commit();                  // on disk when this is OK; without it nothing
//   happened
//
// Every Session is a transaction. Commit returns when the data are on disk (synchronous=FULL). The first
// error of any statement of a session is kept and comes out of Commit; statements after it do nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace espalier::server {

class Database {
 public:
  // Opens or creates the file and brings its tables to this program's version. FAILED_PRECONDITION: written
  // by a newer program; INTERNAL: anything else that SQLite says, in its words.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  class Session {
   public:
    explicit Session(Database& database);
    ~Session();  // rolls back unless committed
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    absl::Status Commit();
    const absl::Status& status() const { return status_; }

   private:
    friend class Database;
    friend class Statement;
    void Execute(const char* sql);
    void Fail();

    Database& database_;
    std::lock_guard<std::mutex> lock_;
    absl::Status status_;
    bool open_ = false;
  };

 private:
  friend class Statement;
  explicit Database(sqlite3* handle) : handle_(handle) {}
  absl::Status Migrate();
  static bool HasColumn(Session& session, const char* table, const char* column);

  std::mutex mutex_;
  sqlite3* handle_;
};

// Values are bound in the order of the question marks.
class Statement {
 public:
  Statement(Database::Session& session, const char* sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Integer(int64_t value);
  Statement& Real(double value);
  Statement& Text(std::string_view value);
  Statement& Bytes(std::string_view value);

  // The next row; false at the end and after an error (which the session keeps).
  bool Next();
  // All rows, ignored.
  void Run();
  // Columns of the row, from 0.
  int64_t IntegerAt(int column) const;
  double RealAt(int column) const;
  std::string BytesAt(int column) const;

 private:
  void Check(int code);

  Database::Session& session_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

}  // namespace espalier::server
