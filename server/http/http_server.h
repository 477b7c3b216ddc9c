// A small HTTP server for what operators look at: fixed pages, GET and HEAD only, one answer a connection.
//
//   auto server = HttpServer::Start("127.0.0.1:9090", {{"/healthz", [](const HttpRequest&) {
//     return HttpAnswer{.body = "ok\n"};
//   }}});
//
// One thread serves all connections and calls the pages, which must be quick. Somebody slow or silent holds
// up nobody: a connection has five seconds, and of more than kMaxConnections the oldest goes.
// (The packaged civetweb gives its threads 100 KiB of stack, of which OpenBLAS's thread-local data take 60:
// it crashes in this process at the first request.)
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/listening_socket.h"

namespace espalier::server {

struct HttpRequest {
  std::string path;                           // as it was sent, without the query
  std::string query;                          // behind the question mark
  std::string host = {}, authorization = {};  // headers; empty: not sent
};

struct HttpAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::string policy = {};  // Content-Security-Policy; empty: none
};

class HttpServer {
 public:
  using Page = std::function<HttpAnswer(const HttpRequest&)>;

  // `address`: HOST:PORT, port 0 for any free one. `pages`: by path. UNAVAILABLE when it cannot listen there.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           std::map<std::string, Page> pages);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& address() const { return socket_->address(); }  // with the port that was chosen

  // A value of a request's query, with %XX decoded; empty when it is not there.
  static std::string Parameter(const HttpRequest& request, const std::string& name);

  static constexpr size_t kMaxConnections = 256;
  static constexpr size_t kMaxRequestBytes = 8192;
  static constexpr absl::Duration kConnectionTime = absl::Seconds(5);

 private:
  struct Connection {
    int fd = -1;
    absl::Time end;
    std::string request;
    std::string answer;  // not empty: it is being sent
    size_t sent = 0;
  };

  HttpServer(std::unique_ptr<ListeningSocket> socket, std::map<std::string, Page> pages);
  void Serve();
  void AcceptOne();
  // False: the connection is done.
  bool Advance(Connection& connection) const;
  bool Receive(Connection& connection) const;
  std::string Answer(const std::string& request) const;

  const std::unique_ptr<ListeningSocket> socket_;
  const std::map<std::string, Page> pages_;
  const int wake_;                     // readable: end
  std::list<Connection> connections_;  // oldest first
  std::thread thread_;
};

}  // namespace espalier::server
