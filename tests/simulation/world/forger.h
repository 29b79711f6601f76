#pragma once

// A peer that is confused or hostile: it listens in, so that it knows session, sequence and
// positions, and puts well-formed units into connections that nobody sent. None may count. The
// connection that it does this to breaks, with its own unit or with the next real one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tests/simulation/system/draw.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/world/wire_tap.h"
#include "wire/frame.h"

namespace quorate::simulation {

enum class Forgery : std::uint8_t {
  // To the primary: all that was sent to this replica is acknowledged,
  older_epoch,     ///< but of an older epoch
  other_epoch,     ///< of an epoch that differs only in its incarnation
  other_process,   ///< by another process of the replica
  older_session,   ///< in a session before this one
  older_sender,    ///< by a sender that lives in an older epoch
  // To the replica.
  gap,             ///< a frame that names the one before it and leaves bytes out
  session_commit,  ///< all that was sent is committed, said in a session before this one
  sender_commit,   ///< likewise, by a sender of an older epoch
  false_commit,    ///< more than there is; this session gets no further, and the next must forget
};
inline constexpr std::size_t kForgeries = static_cast<std::size_t>(Forgery::false_commit) + 1;
std::string_view to_string(Forgery forgery) noexcept;

class Forger {
 public:
  Forger(Network& network, const WireTap& tap, Draw draw);

  /// Puts one unit into some connection. False: now there is none in which it would matter.
  bool forge();

  [[nodiscard]] const std::array<std::uint64_t, kForgeries>& counts() const noexcept {
    return counts_;
  }

 private:
  struct Place {
    ConnectionId connection = 0;
    StreamId stream = 0;
  };

  [[nodiscard]] std::optional<Place> find();
  [[nodiscard]] bool matters(const WireTap::Heard& heard, StreamId stream) const;
  [[nodiscard]] std::vector<std::byte> make(const Place& place);
  [[nodiscard]] std::vector<std::byte> acknowledgement(const Place& place);
  [[nodiscard]] std::vector<std::byte> frame(const Place& place);
  [[nodiscard]] std::vector<std::byte> commit(const Place& place);
  [[nodiscard]] wire::Envelope envelope(const WireTap::Heard& heard,
                                        wire::MessageType type) const;
  [[nodiscard]] Way way() const noexcept;

  Network& network_;
  const WireTap& tap_;
  Draw draw_;
  Forgery next_ = Forgery::older_epoch;
  std::vector<Place> found_;  ///< kept for its memory
  std::array<std::uint64_t, kForgeries> counts_{};
};

}  // namespace quorate::simulation
