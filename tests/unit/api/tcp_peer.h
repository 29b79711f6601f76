#pragma once

// A plain TCP connection to an engine, for what no engine would send.

#include <string>

namespace quorate::test {

class TcpPeer {
 public:
  /// Connects to "host:port"; a failed connection fails the test.
  explicit TcpPeer(const std::string& address);
  ~TcpPeer();
  TcpPeer(const TcpPeer&) = delete;
  TcpPeer& operator=(const TcpPeer&) = delete;

  void send(const std::string& bytes);

 private:
  int fd_;
};

/// Listens on a port of 127.0.0.1 and never answers.
class TcpSilence {
 public:
  TcpSilence();
  ~TcpSilence();
  TcpSilence(const TcpSilence&) = delete;
  TcpSilence& operator=(const TcpSilence&) = delete;

  [[nodiscard]] std::string address() const;

 private:
  int fd_;
};

}  // namespace quorate::test
