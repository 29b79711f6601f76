#pragma once

// What the tests of this folder are written with: frames made of pattern records, a sink that
// records what it is told, and two connected connections.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/message.h"
#include "fake_reactor.h"
#include "transport/codec.h"
#include "transport/connection.h"
#include "wire/frame.h"

namespace quorate::transport {

/// A sealed frame as a ring holds it: prologue and records apart.
struct Frame {
  std::vector<std::byte> prologue;
  std::vector<std::byte> records;
  wire::FrameHeader header;
};

/// Records with the given payload sizes, beginning at `begin`; contents follow from the position.
Frame make_frame(Position begin, const std::vector<std::uint32_t>& payloads);
/// About `bytes` of records of 56 payload bytes.
Frame frame_of_size(Position begin, std::size_t bytes);

std::span<const std::byte> as_bytes(const std::string& text);
std::string as_text(std::span<const std::byte> bytes);
/// A unit as it stands on the wire.
std::string unit(wire::Envelope envelope, std::span<const std::byte> body);
/// A batch unit with the given sequence number.
std::string batch_unit(std::uint64_t sequence, const Frame& frame);

/// Records everything; `on_event` runs inside each callback, named like it.
struct RecordingSink final : Connection::Sink {
  void on_message(const wire::Envelope& envelope, std::span<const std::byte> body) override;
  std::byte* on_frame_header(const wire::Envelope& envelope,
                             const wire::FrameHeader& header) override;
  void on_frame(const wire::Envelope& envelope, const wire::FrameHeader& header) override;
  void on_send_ready() override;
  void on_closed(const std::string& why) override;

  struct Message {
    wire::Envelope envelope;
    std::string body;
  };
  std::vector<Message> messages;
  std::vector<Frame> frames;
  int sends_ready = 0;
  int closed = 0;
  std::string why;
  std::function<void(const char* event)> on_event;
  bool no_landing = false;  ///< answers null to the header of a frame

  [[nodiscard]] bool got_goodbye() const;
  [[nodiscard]] core::Goodbye goodbye() const;

 private:
  void tell(const char* event);
  std::vector<std::byte> landing_;
};

/// Two connections over a reactor in memory: `a` sends in most tests, `b` receives.
struct Link {
  explicit Link(unsigned seed = 1, std::size_t buffer_bytes = 64u << 10);
  ~Link();

  /// Steps until the condition holds; fails the test when it does not for very long.
  void run_until(const std::function<bool()>& condition);
  void settle() { reactor.settle(); }
  void step();
  /// Both connections as after a handshake.
  void admit();

  FakeReactor reactor;
  RecordingSink sink_a;
  RecordingSink sink_b;
  reactor::Socket socket_a;
  reactor::Socket socket_b;
  std::unique_ptr<Connection> a;
  std::unique_ptr<Connection> b;
};

/// One connection whose peer is the test itself, byte by byte.
struct HalfLink {
  explicit HalfLink(unsigned seed = 1);
  ~HalfLink();

  void settle() { reactor.settle(); }
  /// The goodbye that the connection has sent, if it is the only thing it sent.
  core::Goodbye goodbye();

  FakeReactor reactor;
  RecordingSink sink;
  reactor::Socket socket;
  reactor::Socket peer;
  std::unique_ptr<Connection> connection;
};

}  // namespace quorate::transport
