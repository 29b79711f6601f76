#pragma once

// The tail of one stream, where application threads append without locks: claim space, write the
// record in place, publish it. The loop walks what is published and gives space back.
//
// A record is an 8-byte header word {u32 payload length, u16 kind, u16 flags} and the payload
// padded to 8. Kind 0 means unpublished, so space that may be claimed must read as zero:
// give_back() zeroes it before it raises the limit (release), and a claim reads the limit
// (acquire).
//
// Why nobody is overlooked: a claim is a compare-and-swap on `claimed_` (a full barrier), made
// before the record is published and before the writer looks whether the loop knows about the
// stream. A loop that declares it does not look any more (seq_cst) and then still reads the old
// `claimed_` is therefore seen by that writer; one that reads the new value goes on looking until
// it is published.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "quorate/types.h"

namespace quorate::base {

inline constexpr std::uint64_t kKindShift = 32;
inline constexpr std::uint64_t kKindData = 1;
inline constexpr std::uint64_t kKindPadding = 2;

/// Stream bytes of a record with that payload.
constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) noexcept {
  return kRecordHeaderBytes + ((payload_bytes + 7) & ~std::uint64_t{7});
}

class TailRing {
 public:
  enum class Refusal : std::uint8_t { none, full, parked, closed, too_large };
  struct Space {
    std::byte* payload = nullptr;
    Position begin = 0;
    Position end = 0;
    Refusal refusal = Refusal::none;
  };

  /// `memory` is mapped twice in a row and reads as zero. Starts parked: unpark() opens it. The
  /// first claim begins at `start`.
  void attach(std::byte* memory, std::uint64_t ring_bytes, std::uint32_t max_record_bytes,
              Position start = 0) noexcept;

  // Any thread.

  Space claim(std::uint64_t payload_bytes) noexcept {
    if (payload_bytes > max_record_bytes_) [[unlikely]] return {nullptr, 0, 0, Refusal::too_large};
    const std::uint64_t bytes = record_bytes(payload_bytes);
    std::uint64_t begin = claimed_.load(std::memory_order_relaxed);
    do {
      if (begin & kStateBits) [[unlikely]] return {nullptr, 0, 0, refusal_of(begin)};
      if (begin + bytes > limit_.load(std::memory_order_acquire)) [[unlikely]] {
        return {nullptr, 0, 0, Refusal::full};
      }
    } while (!claimed_.compare_exchange_weak(begin, begin + bytes, std::memory_order_seq_cst,
                                             std::memory_order_relaxed));
    return {at(begin) + kRecordHeaderBytes, begin, begin + bytes, Refusal::none};
  }

  void publish(Position begin, std::uint64_t payload_bytes) noexcept {
    header(begin).store(payload_bytes | kKindData << kKindShift, std::memory_order_release);
  }
  /// The claim becomes padding, which replicas skip.
  void abandon(Position begin, std::uint64_t payload_bytes) noexcept;

  [[nodiscard]] Position claimed() const noexcept {
    return claimed_.load(std::memory_order_seq_cst) & ~kStateBits;
  }
  [[nodiscard]] bool parked() const noexcept {
    return (claimed_.load(std::memory_order_acquire) & kStateBits & ~kClosedBit) != 0;
  }
  [[nodiscard]] Position limit() const noexcept { return limit_.load(std::memory_order_acquire); }
  [[nodiscard]] const std::atomic<Position>& limit_word() const noexcept { return limit_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return mask_ + 1; }
  [[nodiscard]] std::byte* at(Position position) const noexcept {
    return memory_ + (position & mask_);
  }

  /// Opens a parked ring whose memory is ready; true for the one caller that did.
  bool unpark() noexcept;
  /// No claim succeeds any more, for ever.
  void close() noexcept { claimed_.fetch_or(kClosedBit); }

  // The loop.

  struct Walk {
    Position end = 0;
    std::uint32_t records = 0;  ///< padding included
  };
  /// Published records from `from` on, at most `bytes_max` (one record may exceed it alone).
  [[nodiscard]] Walk walk(Position from, std::uint64_t bytes_max) const noexcept;
  [[nodiscard]] bool published(Position position) const noexcept {
    return header(position).load(std::memory_order_acquire) != 0;
  }

  /// Zeroes [from, to), then lets it be claimed again.
  void give_back(Position from, Position to) noexcept;

  /// Refuses claims, if nothing was claimed beyond `expected`; false otherwise. Nobody can unpark
  /// before reset_limit(): a record written while the memory is being emptied would be lost.
  bool park(Position expected) noexcept;
  /// After the memory was zeroed by other means while parked: all of it may be claimed again, once
  /// somebody unparks.
  void reset_limit(Position from) noexcept {
    limit_.store(from + size(), std::memory_order_release);
    claimed_.fetch_and(~kEmptyingBit);
  }

 private:
  static constexpr std::uint64_t kClosedBit = 1ull << 63;
  static constexpr std::uint64_t kParkedBit = 1ull << 62;
  static constexpr std::uint64_t kEmptyingBit = 1ull << 61;  // only together with kParkedBit
  static constexpr std::uint64_t kStateBits = kClosedBit | kParkedBit | kEmptyingBit;

  static Refusal refusal_of(std::uint64_t state) noexcept {
    return state & kClosedBit ? Refusal::closed : Refusal::parked;
  }
  [[nodiscard]] std::atomic_ref<std::uint64_t> header(Position position) const noexcept {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(at(position)));
  }

  // Read by all, never written after attach().
  alignas(128) std::byte* memory_ = nullptr;
  std::uint64_t mask_ = 0;
  std::uint32_t max_record_bytes_ = 0;
  // Written by writers.
  alignas(128) std::atomic<std::uint64_t> claimed_{kParkedBit};
  // Written by the loop.
  alignas(128) std::atomic<Position> limit_{0};
};

}  // namespace quorate::base
