#pragma once

// One socket between a primary and a replica (or a status client): bytes in, verified messages and
// frames out; control messages and frames in, one gathered send out. It decides nothing about the
// protocol: its sink does. Owned by a driver, used on one loop. Memory is bounded: a staging buffer
// (16 KiB until the peer is admitted), a control buffer, and at most one cut frame.
//
// A frame's records are received straight into the place the sink names (the stream's ring), so a
// large frame is copied once, by the kernel; what arrives together with headers is copied from
// staging.

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/message.h"
#include "reactor/reactor.h"
#include "transport/byte_channel.h"
#include "wire/batch.h"
#include "wire/frame.h"

namespace quorate::transport {

class Connection final : private ByteChannel::Client {
 public:
  /// What the owner is told, on the loop. It may send and shut down inside. It destroys the
  /// connection later, after on_closed has returned; until on_closed, what it was given to read or
  /// to fill may be in use.
  struct Sink {
    virtual ~Sink() = default;
    /// A control message whose envelope and checksum are good. `body` is 8-byte aligned.
    virtual void on_message(const wire::Envelope& envelope, std::span<const std::byte> body) = 0;
    /// A frame is coming: where its records go (end - begin bytes), or null after refuse() or
    /// shut_down().
    virtual std::byte* on_frame_header(const wire::Envelope& envelope,
                                       const wire::FrameHeader& header) = 0;
    /// The frame's body is verified and its records lie where the sink said.
    virtual void on_frame(const wire::Envelope& envelope, const wire::FrameHeader& header) = 0;
    /// The send in flight was consumed; the next may be built. After a cut whose rest is still on
    /// its way this comes twice: at the cut (draining(), see frames_consumed()) and at its end. Not
    /// once the connection is closing.
    virtual void on_send_ready() = 0;
    /// Nothing is in flight any more and the socket is closed. `why` is one line.
    virtual void on_closed(const std::string& why) = 0;
  };

  struct Options {
    std::uint32_t staging_bytes = 16u << 10;
    std::uint64_t frame_records_max = 0;  ///< larger frames are refused before their body is read
  };

  Connection(reactor::Reactor& reactor, reactor::Socket socket, Sink& sink, const Options& options);
  ~Connection() override;

  void start();  ///< begins to receive
  /// After admission: a larger staging buffer and the negotiated frame limit. Before start() or
  /// inside on_message(), whose body is gone afterwards.
  void admit(std::uint32_t staging_bytes, std::uint64_t frame_records_max);
  /// Room for the control messages of one send, so that they do not allocate while streaming.
  void reserve_control(std::size_t bytes);
  void set_session(std::uint64_t session, const Epoch& sender_epoch) noexcept;

  // Sending. Control messages go in front of frames of the next send. What is queued while a send
  // is in flight waits in memory: the owner bounds it by control_bytes().

  void queue_control(wire::MessageType type, std::span<const std::byte> body);
  [[nodiscard]] std::size_t control_bytes() const noexcept { return control_next_.size(); }
  [[nodiscard]] bool sending() const noexcept { return send_active_; }
  [[nodiscard]] bool open() const noexcept { return !closing_; }
  /// It closes because bytes of the peer failed verification, before the sink saw them.
  [[nodiscard]] bool malformed() const noexcept { return malformed_; }

  static constexpr std::uint32_t kFramesPerSend = 40;
  static_assert(kFramesPerSend * 3 + 1 <= reactor::Operation::kVectorsMax);

  /// Adds a frame to the send being built; its memory stays until on_send_ready or on_closed.
  /// False when the send is full.
  bool add_frame(std::span<const std::byte> prologue, std::span<const std::byte> records,
                 Position committed, std::uint8_t envelope_flags) noexcept;
  [[nodiscard]] std::uint32_t frames_added() const noexcept { return frames_in_send_; }
  /// Starts the send if there is anything in it.
  bool submit();

  /// Ends the send in flight early: cancels it and keeps a copy of the rest of the frame in which
  /// the cut falls. on_send_ready follows.
  void cut_send();
  /// Of the last send: it ended by a cut, and how many of its frames were sent or copied. The
  /// others were not sent.
  [[nodiscard]] bool was_cut() const noexcept { return cut_done_; }
  [[nodiscard]] std::uint32_t frames_consumed() const noexcept { return frames_consumed_; }
  /// True while the rest of a cut frame is on its way from the copy; sending() is true as well.
  [[nodiscard]] bool draining() const noexcept { return draining_; }

  /// Sends a goodbye behind what is in flight, then the end of the stream, and closes when the peer
  /// has closed. What the peer still sends is dropped. A peer need not read or close: the owner
  /// calls shut_down() after a while.
  void refuse(core::GoodbyeReason reason, const std::string& text);
  /// Closes without a word. on_closed follows, inside this call when nothing is in flight.
  void shut_down(const std::string& why);
  /// Between messages, before anything was sent: gives up the socket and the bytes read ahead.
  struct Released {
    reactor::Socket socket;
    std::vector<std::byte> read_ahead;
  };
  Released release();
  void preload(std::span<const std::byte> bytes);  ///< bytes another loop has read already

  /// Inside on_frame(): header and batch prefix of that frame, as they came.
  [[nodiscard]] std::span<const std::byte> frame_prologue() const noexcept {
    return frame_prologue_;
  }
  /// Reads nothing more until resume(), which is not called inside a call of the sink.
  void pause() noexcept { paused_ = true; }
  void resume();
  [[nodiscard]] bool paused() const noexcept { return paused_; }

  [[nodiscard]] std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  void on_consumed(std::int32_t result) override;
  void on_bytes(std::int32_t result) override;
  void arm_receive();
  void place(std::size_t received);
  void parse();
  bool parse_unit();
  bool parse_control(const wire::Envelope& envelope);
  bool parse_frame(const wire::Envelope& envelope);
  void finish_frame();
  void compact();
  bool fail(core::GoodbyeReason reason, const char* text);
  void send_remaining();
  void finish_cut();
  void finish_send();
  void drop_frames() noexcept;
  void on_dropped(std::int32_t result);
  void proceed_to_close();
  void stamp(wire::Envelope& envelope) noexcept;
  void stamp_send() noexcept;

  Sink& sink_;
  Options options_;
  ByteChannel channel_;

  // receiving
  std::unique_ptr<std::byte[]> staging_;
  std::size_t staging_begin_ = 0;
  std::size_t staging_end_ = 0;
  std::array<iovec, 2> receive_vectors_{};
  wire::Envelope frame_envelope_{};
  wire::FrameHeader frame_header_{};
  std::array<std::byte, wire::kFramePrologueBytes> frame_prologue_{};
  std::byte* frame_records_ = nullptr;  ///< where the records of the frame being received go
  std::size_t frame_placed_ = 0;
  std::size_t frame_size_ = 0;
  std::uint64_t receive_sequence_ = 0;
  std::uint64_t bytes_received_ = 0;
  bool parsing_ = false;
  bool released_ = false;
  bool paused_ = false;

  // sending
  std::vector<std::byte> control_next_;  ///< being filled
  std::vector<std::byte> control_send_;  ///< in flight
  std::array<wire::Envelope, kFramesPerSend> frame_envelopes_{};
  std::array<std::array<std::byte, wire::kEnvelopeBytes>, kFramesPerSend> envelopes_{};
  std::array<std::size_t, kFramesPerSend> frame_ends_{};  ///< offsets within the frames of the send
  std::array<iovec, kFramesPerSend * 3 + 1> vectors_{};
  std::uint32_t vector_count_ = 1;  ///< the first is reserved for control bytes
  std::uint32_t vector_next_ = 0;
  std::uint32_t frames_in_send_ = 0;
  std::uint32_t frames_consumed_ = 0;
  std::size_t frame_bytes_ = 0;
  std::size_t sent_bytes_ = 0;  ///< of the send in flight, control included
  std::vector<std::byte> cut_rest_;
  std::uint64_t send_sequence_ = 0;
  std::uint64_t session_ = 0;
  Epoch sender_epoch_;
  bool send_active_ = false;
  bool cut_asked_ = false;
  bool cut_done_ = false;
  bool draining_ = false;

  bool closing_ = false;
  bool goodbye_ = false;      ///< closing with a goodbye that is on its way or out
  bool input_ended_ = false;  ///< the peer sends nothing more
  bool closed_ = false;
  bool malformed_ = false;
  std::size_t dropped_bytes_ = 0;
  std::string why_;
};

}  // namespace quorate::transport
