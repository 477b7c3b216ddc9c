// The socket that a server listens on, accepted here and handed to gRPC connection by connection.
//
// gRPC 1.51 accepts no connection ever again after it once ran out of file descriptors (CVE-2023-4785). Here
// some descriptors are kept back: connections beyond them are closed at once, and when others have gone, new
// ones are taken again.
//
//   auto acceptor = ConnectionAcceptor::Listen("127.0.0.1:0");
//   auto sink = builder.experimental().AddExternalConnectionAcceptor(..., credentials);
//   ... BuildAndStart ...
//   (*acceptor)->Start(std::move(sink));
//   (*acceptor)->Close();    // before the server's Shutdown
#pragma once

#include <grpcpp/server_builder.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "server/listening_socket.h"

namespace espalier::server {

class ConnectionAcceptor {
 public:
  using Sink = grpc::experimental::ExternalConnectionAcceptor;

  // "unix:/PATH", a socket for its owner only, or "HOST:PORT". UNAVAILABLE when somebody listens there
  // already or the address is not this machine's.
  static absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> Listen(const std::string& address);
  ~ConnectionAcceptor() { Close(); }
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  const std::string& address() const { return socket_->address(); }  // with the port; until Close

  // Once.
  void Start(std::unique_ptr<Sink> sink);
  // While true, nobody is let in: who connects waits. By any thread.
  void Pause(bool pause) { paused_ = pause; }
  // Nobody can connect any more; connections that were handed over stay.
  void Close();

  // Kept back for the server's own files, workers' sockets and threads.
  static constexpr int kReservedFiles = 64;

 private:
  explicit ConnectionAcceptor(std::unique_ptr<ListeningSocket> socket) : socket_(std::move(socket)) {}
  void Accept();
  void HandOver(int connection);

  std::unique_ptr<ListeningSocket> socket_;
  std::atomic<bool> paused_ = false;
  int wake_ = -1;  // readable: end
  std::unique_ptr<Sink> sink_;
  std::thread thread_;
};

}  // namespace espalier::server
