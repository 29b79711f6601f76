#pragma once

// Records inside a frame, as they come from a peer: walked with every length checked.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace quorate::wire {

enum class RecordKind : std::uint16_t { unpublished = 0, data = 1, padding = 2, epoch_start = 3 };

struct RecordWord {
  std::uint32_t length;
  RecordKind kind;
  std::uint16_t flags;
};
static_assert(sizeof(RecordWord) == 8);

constexpr std::uint64_t padded_record_bytes(std::uint32_t length) noexcept {
  return 8 + ((std::uint64_t{length} + 7) & ~std::uint64_t{7});
}

inline RecordWord read_record_word(const std::byte* at) noexcept {
  RecordWord word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// How many records the bytes hold; -1 when they are not exactly a row of well-formed records.
inline std::int64_t count_records(std::span<const std::byte> bytes) noexcept {
  std::int64_t count = 0;
  std::uint64_t at = 0;
  while (at + 8 <= bytes.size()) {
    const RecordWord word = read_record_word(bytes.data() + at);
    const auto kind = static_cast<std::uint16_t>(word.kind);
    if (kind == 0 || kind > 3 || word.flags != 0) return -1;
    at += padded_record_bytes(word.length);
    ++count;
  }
  return at == bytes.size() ? count : -1;
}

/// Whether a record begins, or the last one ends, so far behind the beginning of a row of
/// well-formed records that is at least as long.
inline bool is_record_boundary(const std::byte* records, std::uint64_t offset) noexcept {
  std::uint64_t at = 0;
  while (at < offset) at += padded_record_bytes(read_record_word(records + at).length);
  return at == offset;
}

}  // namespace quorate::wire
