#include "tools/load/feed.h"

namespace quorate::tools {

RecordFeed::RecordFeed(const RecordSizes& sizes, std::uint16_t writer, bool verify)
    : sizes_(sizes.cycle()), buffer_(sizes.most_bytes()), writer_(writer), verify_(verify) {
  fill_contents(buffer_, writer);
}

TraceFeed::TraceFeed(std::span<const TraceRow> rows, std::size_t first, std::size_t stride,
                     std::uint16_t writer, bool verify)
    : rows_(rows), at_(first), stride_(stride), writer_(writer), verify_(verify) {}

std::size_t TraceFeed::bytes() const noexcept {
  return sizeof(BlockHeader) + rows_[at_].length_bytes;
}

std::uint64_t TraceFeed::left() const noexcept {
  return exhausted() ? 0 : (rows_.size() - at_ + stride_ - 1) / stride_;
}

bool TraceFeed::put(Lane& lane, Position& end) noexcept {
  auto claim = lane.stream.claim(bytes());
  if (!claim) return false;
  const TraceRow& row = rows_[at_];
  const std::span<std::byte> payload = claim->bytes();
  write_block(
      payload,
      {{at_, lane.stream.id(), writer_, StampKind::block}, row.offset_bytes, row.length_bytes});
  const std::uint64_t hash = verify_ ? payload_hash(payload) : 0;
  end = claim->publish().end;
  lane.digest.add(hash, payload.size(), end);
  at_ += stride_;
  return true;
}

}  // namespace quorate::tools
