#include "server/flood/held_calls.h"

#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"

namespace espalier::server {
namespace {

using Json = nlohmann::json;

// What channelz answers; null when what was asked for has gone meanwhile.
Json Parsed(char* text) {
  if (text == nullptr) return nullptr;
  Json parsed = Json::parse(text, nullptr, false);
  gpr_free(text);
  return parsed.is_discarded() ? Json() : parsed;
}

Json Member(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) ? object.at(name) : Json();
}

std::string Text(const Json& object, const char* name) {
  const Json text = Member(object, name);
  return text.is_string() ? text.get<std::string>() : "";
}

// channelz writes 64-bit numbers as text, and leaves out those that are 0.
int64_t Number(const Json& object, const char* name) {
  int64_t number = 0;
  return absl::SimpleAtoi(Text(object, name), &number) ? number : 0;
}

// Empty for anything but an address of IPv4 or IPv6.
std::string Address(const Json& socket, const char* end) {
  const Json tcp = Member(Member(socket, end), "tcpip_address");
  const Json port = Member(tcp, "port");
  std::string host;
  if (!absl::Base64Unescape(Text(tcp, "ip_address"), &host) || !port.is_number_integer()) return "";
  if (host.size() == sizeof(in_addr)) return AddressText(AF_INET, host.data(), port.get<int>());
  if (host.size() == sizeof(in6_addr)) return AddressText(AF_INET6, host.data(), port.get<int>());
  return "";
}

HeldCalls HeldBy(const Json& socket) {
  const Json data = Member(socket, "data");
  return {.connection = {.local = Address(socket, "local"), .remote = Address(socket, "remote")},
          .calls = Number(data, "streamsStarted") - Number(data, "streamsSucceeded") -
                   Number(data, "streamsFailed")};
}

void AddHeld(intptr_t server, std::vector<HeldCalls>& held) {
  intptr_t next = 0;
  while (true) {
    const Json page = Parsed(grpc_channelz_get_server_sockets(server, next, 0));
    const Json sockets = Member(page, "socketRef");
    for (const Json& reference : sockets) {
      const intptr_t id = Number(reference, "socketId");
      next = id + 1;
      const Json found = Parsed(grpc_channelz_get_socket(id));
      if (!found.is_null()) held.push_back(HeldBy(Member(found, "socket")));
    }
    if (sockets.empty() || Member(page, "end") == true) return;
  }
}

}  // namespace

CallAccounts::CallAccounts() {
  const Json found = Parsed(grpc_channelz_get_servers(0));
  for (const Json& server : Member(found, "server"))
    servers_.push_back(Number(Member(server, "ref"), "serverId"));
}

int64_t CallAccounts::Started() const {
  int64_t started = 0;
  for (const intptr_t id : servers_) {
    const Json server = Member(Parsed(grpc_channelz_get_server(id)), "server");
    started += Number(Member(server, "data"), "callsStarted");
  }
  return started;
}

std::vector<HeldCalls> CallAccounts::Held() const {
  std::vector<HeldCalls> held;
  for (const intptr_t id : servers_) AddHeld(id, held);
  return held;
}

}  // namespace espalier::server
