#include "server/http/http_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr int kTickMs = 200;  // how often connections that are late are looked for

const char* Phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

std::string Message(const HttpAnswer& answer, bool with_body) {
  return absl::StrCat(
      "HTTP/1.1 ", answer.status, " ", Phrase(answer.status), "\r\nContent-Type: ", answer.type,
      "\r\nContent-Length: ", answer.body.size(),
      "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n",
      answer.policy.empty() ? "" : absl::StrCat("Content-Security-Policy: ", answer.policy, "\r\n"),
      answer.status == 401 ? "WWW-Authenticate: Bearer\r\n" : "", "Connection: close\r\n\r\n",
      with_body ? answer.body : "");
}

bool WouldBlock() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

// The value of a header of a whole request; of several with that name the first.
std::string Header(const std::string& request, absl::string_view name) {
  const std::vector<absl::string_view> lines =
      absl::StrSplit(absl::string_view(request).substr(0, request.find("\r\n\r\n")), "\r\n");
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = lines[i].find(':');
    if (colon != absl::string_view::npos && absl::EqualsIgnoreCase(lines[i].substr(0, colon), name))
      return std::string(absl::StripAsciiWhitespace(lines[i].substr(colon + 1)));
  }
  return "";
}

// %XX as the byte that it stands for; what is no such triple stays.
std::string Decoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '%' && i + 2 < text.size() &&
                         absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
                         absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]));
    decoded += escaped ? absl::HexStringToBytes(text.substr(i + 1, 2)) : std::string(1, text[i]);
    if (escaped) i += 2;
  }
  return decoded;
}

}  // namespace

std::string HttpServer::Parameter(const HttpRequest& request, const std::string& name) {
  for (const absl::string_view part : absl::StrSplit(request.query, '&')) {
    if (absl::StartsWith(part, name + "=")) return Decoded(part.substr(name.size() + 1));
  }
  return "";
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              std::map<std::string, Page> pages) {
  ESPALIER_ASSIGN_OR_RETURN(std::unique_ptr<ListeningSocket> socket, ListeningSocket::Open(address));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(socket), std::move(pages)));
}

HttpServer::HttpServer(std::unique_ptr<ListeningSocket> socket, std::map<std::string, Page> pages)
    : socket_(std::move(socket)), pages_(std::move(pages)), wake_(eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this] { Serve(); });
}

HttpServer::~HttpServer() {
  const uint64_t one = 1;
  if (write(wake_, &one, sizeof(one)) == sizeof(one)) thread_.join();
  close(wake_);
  for (const Connection& connection : connections_) close(connection.fd);
}

void HttpServer::Serve() {
  std::vector<pollfd> waiting;
  while (true) {
    waiting = {{.fd = wake_, .events = POLLIN, .revents = 0},
               {.fd = socket_->fd(), .events = POLLIN, .revents = 0}};
    for (const Connection& connection : connections_) {
      const short events = connection.answer.empty() ? POLLIN : POLLOUT;
      waiting.push_back({.fd = connection.fd, .events = events, .revents = 0});
    }
    poll(waiting.data(), waiting.size(), kTickMs);
    if (waiting[0].revents != 0) return;
    const absl::Time now = absl::Now();
    size_t index = 2;
    for (auto it = connections_.begin(); it != connections_.end(); ++index) {
      const auto connection = it++;
      const bool goes_on = (waiting[index].revents == 0 || Advance(*connection)) && now < connection->end;
      if (goes_on) continue;
      close(connection->fd);
      connections_.erase(connection);
    }
    if (waiting[1].revents != 0) AcceptOne();
  }
}

void HttpServer::AcceptOne() {
  const int fd = accept4(socket_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (!WouldBlock()) absl::SleepFor(absl::Milliseconds(10));  // no room; the next look may find some
    return;
  }
  if (connections_.size() == kMaxConnections) {
    close(connections_.front().fd);
    connections_.pop_front();
  }
  connections_.push_back({.fd = fd, .end = absl::Now() + kConnectionTime, .request = "", .answer = ""});
}

bool HttpServer::Advance(Connection& connection) const {
  if (connection.answer.empty() && !Receive(connection)) return false;
  if (connection.answer.empty()) return true;
  const ssize_t sent = send(connection.fd, connection.answer.data() + connection.sent,
                            connection.answer.size() - connection.sent, MSG_NOSIGNAL);
  if (sent < 0) return WouldBlock();
  connection.sent += static_cast<size_t>(sent);
  if (connection.sent < connection.answer.size()) return true;
  shutdown(connection.fd, SHUT_WR);
  return false;
}

// Makes the answer when the whole request has come.
bool HttpServer::Receive(Connection& connection) const {
  char bytes[4096];
  const ssize_t got = recv(connection.fd, bytes, sizeof(bytes), 0);
  if (got == 0) return false;
  if (got < 0) return WouldBlock();
  connection.request.append(bytes, static_cast<size_t>(got));
  const bool whole = absl::StrContains(connection.request, "\r\n\r\n");
  if (!whole && connection.request.size() > kMaxRequestBytes) return false;
  if (whole) connection.answer = Answer(connection.request);
  return true;
}

std::string HttpServer::Answer(const std::string& request) const {
  const std::vector<std::string> words = absl::StrSplit(request.substr(0, request.find("\r\n")), ' ');
  if (words.size() != 3 || !absl::StartsWith(words[2], "HTTP/1.") || !absl::StartsWith(words[1], "/"))
    return Message({.status = 400, .body = "not HTTP/1\n"}, true);
  const bool head = words[0] == "HEAD";
  if (!head && words[0] != "GET") return Message({.status = 405, .body = "GET and HEAD only\n"}, true);
  const size_t mark = words[1].find('?');
  const HttpRequest asked{.path = words[1].substr(0, mark),
                          .query = mark == std::string::npos ? "" : words[1].substr(mark + 1),
                          .host = Header(request, "host"),
                          .authorization = Header(request, "authorization")};
  const auto page = pages_.find(asked.path);
  if (page == pages_.end()) return Message({.status = 404, .body = "no such page\n"}, !head);
  return Message(page->second(asked), !head);
}

}  // namespace espalier::server
