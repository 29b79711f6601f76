#pragma once

// A primary's side of one connection: admits the peer, answers its claims, counts its
// acknowledgements, and gathers frames of many streams into one send at a time. Owned by the driver
// of its loop; used on that loop only.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/message.h"
#include "core/session.h"
#include "shard/primary_stream.h"
#include "shard/catch_up_sender.h"
#include "transport/connection.h"

namespace quorate::shard {

class PrimaryDriver;

class PrimaryLink final : public transport::Connection::Sink {
 public:
  /// Longest silence of somebody who has not said hello, or goodbye that nobody reads.
  static constexpr std::int64_t kCloseTimeout_ns = kSecond_ns;

  /// `read_ahead`: bytes that the loop which accepted the connection has read already.
  PrimaryLink(PrimaryDriver& driver, reactor::Socket socket, std::span<const std::byte> read_ahead,
              Instant now);

  void start() { connection_.start(); }

  [[nodiscard]] bool admitted() const noexcept { return role_ == Role::replica && !closing(); }
  [[nodiscard]] bool closing() const noexcept { return !connection_.open(); }
  [[nodiscard]] bool gone() const noexcept { return gone_ && (!catch_up_ || catch_up_->idle()); }
  /// Closed, but a read of the log is still in flight.
  [[nodiscard]] bool lingers() const noexcept { return gone_ && !gone(); }
  [[nodiscard]] bool greeted() const noexcept { return role_ != Role::stranger; }
  [[nodiscard]] bool client() const noexcept { return role_ == Role::client; }
  /// Null unless the connection is one that catches up.
  [[nodiscard]] const CatchUpSender* catch_up() const noexcept { return catch_up_.get(); }
  [[nodiscard]] std::uint32_t replica() const noexcept { return replica_; }
  /// A send could start now.
  [[nodiscard]] bool free() const noexcept { return admitted() && !connection_.sending(); }

  /// The stream may have something to send to this peer.
  void want(std::uint32_t local_stream);
  /// The stream's committed position rose; told with the next frame, or soon without one.
  void want_commit(std::uint32_t local_stream, bool now_awaited, Instant now);
  /// The stream's ring is needed: what is being sent is cut.
  void park();
  /// The ring no longer holds what the peer needs of this stream.
  void tell_lost(StreamId stream, Position reclaimed);

  void send(Instant now);
  void expire(Instant now);
  [[nodiscard]] Instant next_deadline() const noexcept;
  void refuse(core::GoodbyeReason reason, const std::string& text);
  /// Last words of a primary that closes: what is committed, then goodbye.
  void say_goodbye(Instant now);
  void shut_down(const std::string& why) { connection_.shut_down(why); }

  // transport::Connection::Sink
  void on_message(const wire::Envelope& envelope, std::span<const std::byte> body) override;
  std::byte* on_frame_header(const wire::Envelope& envelope,
                             const wire::FrameHeader& header) override;
  void on_frame(const wire::Envelope&, const wire::FrameHeader&) override {}
  void on_send_ready() override;
  void on_closed(const std::string& why) override;

 private:
  enum class Role : std::uint8_t { stranger, replica, client, catch_up };
  /// What this connection knows of one stream.
  struct StreamNote {
    std::uint64_t frame_hint = 0;  ///< cursor into the stream's frame index
    Position told_committed = 0;
    bool wanted = false;  ///< in wanted_
    bool commit_wanted = false;  ///< in commits_
  };
  /// What the send in flight carries of one stream.
  struct Segment {
    std::uint32_t local_stream = 0;
    std::uint32_t frames = 0;
    Position begin = 0;
  };

  bool in_session(const wire::Envelope& envelope) const noexcept;
  void on_hello(std::span<const std::byte> body);
  void welcome(const core::Hello& hello, const core::Admitted& admitted);
  void on_resume(std::span<const std::byte> body);
  void on_acknowledgements(std::span<const std::byte> body);
  void on_status_request(std::span<const std::byte> body);
  void welcome_replica(const core::Hello& hello, Instant now);
  void catch_up_resume(std::span<const std::byte> body);
  void catch_up_acknowledged(std::span<const std::byte> body);
  void catch_up_snapshot(std::span<const std::byte> body);
  void send_catch_up(Instant now);
  void malformed(const char* what);
  [[nodiscard]] PrimaryStream* stream_of(StreamId id) noexcept;
  std::uint64_t add_stream(std::uint32_t local_stream, std::uint64_t bytes_max);
  void add_commits(Instant now);
  void finish_segments();
  void cut_segments();
  void resume_parked();

  PrimaryDriver& driver_;
  transport::Connection connection_;
  core::Liveness liveness_;
  Role role_ = Role::stranger;
  std::uint32_t replica_ = 0;
  std::uint64_t session_ = 0;
  bool takes_snapshots_ = false;
  Instant closing_at_ = kNever;
  Instant commits_due_ = kNever;
  bool gone_ = false;

  std::unique_ptr<CatchUpSender> catch_up_;
  std::vector<StreamNote> notes_;
  std::vector<std::uint32_t> wanted_;   ///< a queue: circular, as long as there are streams
  std::size_t wanted_begin_ = 0;
  std::size_t wanted_count_ = 0;
  std::vector<std::uint32_t> commits_;
  std::vector<Segment> segments_;
  std::vector<std::uint32_t> parked_;
};

}  // namespace quorate::shard
