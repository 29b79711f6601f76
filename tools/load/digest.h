#pragma once

// The digest of a stream's contents: a sum over its records, each term a hash of the payload and of
// the position at which the record ends. A sum, so that several writers add their own records in
// whatever order they run and their parts are added up at the end; and because the position is in
// every term, a record at another place, in another order, twice or not at all gives another one.
// It detects accidents; it is not meant to resist somebody who forges records.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "quorate/types.h"

namespace quorate::tools {

inline constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;

/// Every bit of the result depends on every bit of the value (the finalizer of SplitMix64).
constexpr std::uint64_t mixed(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

std::uint64_t payload_hash(std::span<const std::byte> payload) noexcept;

struct StreamDigest {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  ///< of payload
  std::uint64_t sum = 0;

  void add(std::uint64_t hash, std::size_t payload_bytes, Position end) noexcept {
    ++records;
    bytes += payload_bytes;
    sum += mixed(hash + end * kGolden);
  }
  void add(std::span<const std::byte> payload, Position end) noexcept {
    add(payload_hash(payload), payload.size(), end);
  }
  /// Without its contents, where nobody compares.
  void count(std::size_t payload_bytes) noexcept {
    ++records;
    bytes += payload_bytes;
  }
  void merge(const StreamDigest& other) noexcept {
    records += other.records;
    bytes += other.bytes;
    sum += other.sum;
  }
  friend bool operator==(const StreamDigest&, const StreamDigest&) = default;
};

/// `digest stream=… position=… records=… bytes=… digest=… equal=…`: what a replica prints, and what
/// the load expects of it.
std::string digest_line(StreamId stream, Position position, const StreamDigest& digest, bool equal);

}  // namespace quorate::tools
