// Random rows of records on their whole way: ring, walk, frame, verification.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <vector>

#include "tests/unit/base/mapped_ring.h"
#include "wire/batch.h"
#include "wire/crc32c.h"
#include "wire/quorate_generated.h"
#include "wire/records.h"

namespace quorate::wire {
namespace {

constexpr std::uint64_t kRing = 16384;

/// A sealed batch as the wire carries it behind the envelope.
struct Sealed {
  std::array<std::byte, kFramePrologueBytes> prologue;
  std::span<const std::byte> records;

  [[nodiscard]] auto header() const { return std::span(prologue).first<kFrameHeaderBytes>(); }
  [[nodiscard]] auto prefix() const { return std::span(prologue).subspan<kFrameHeaderBytes>(); }
};

Sealed seal(const base::TailRing& ring, Position begin, const base::TailRing::Walk& walk) {
  Sealed sealed;
  sealed.records = {ring.at(begin), walk.end - begin};
  const auto prefix = std::span(sealed.prologue).subspan<kFrameHeaderBytes>();
  write_batch_prefix(prefix, walk.records, 1, sealed.records.size());
  FrameHeader header;
  header.body_bytes = static_cast<std::uint32_t>(kBatchPrefixBytes + sealed.records.size());
  header.record_count = walk.records;
  header.begin = begin;
  header.end = walk.end;
  header.body_crc = crc32c(sealed.records, crc32c(prefix));
  encode_frame_header(header, std::span(sealed.prologue).first<kFrameHeaderBytes>());
  return sealed;
}

/// The checks a replica makes of a frame, in its order.
bool is_good(const Sealed& sealed) {
  FrameHeader header;
  if (decode_frame_header(sealed.header(), kRing, header) != DecodeError::none) return false;
  if (crc32c(sealed.records, crc32c(sealed.prefix())) != header.body_crc) return false;
  const auto view = view_batch_prefix(sealed.prefix(), sealed.records.size());
  return view.ok && view.record_count == header.record_count &&
         count_records(sealed.records) == std::int64_t{view.record_count};
}

bool is_flatbuffer(const Sealed& sealed) {
  std::vector<std::uint64_t> words((kBatchPrefixBytes + sealed.records.size()) / 8);
  auto* bytes = reinterpret_cast<std::uint8_t*>(words.data());
  std::memcpy(bytes, sealed.prefix().data(), kBatchPrefixBytes);
  std::memcpy(bytes + kBatchPrefixBytes, sealed.records.data(), sealed.records.size());
  flatbuffers::Verifier verifier(bytes, words.size() * 8, 8, 4);
  return verifier.VerifyBuffer<fb::Batch>(nullptr);
}

struct Written {
  std::string text;
  bool dropped = false;
};

rc::Gen<std::vector<Written>> written() {
  const auto one = rc::gen::build<Written>(
      rc::gen::set(&Written::text, rc::gen::resize(400, rc::gen::string<std::string>())),
      rc::gen::set(&Written::dropped));
  return rc::gen::container<std::vector<Written>>(one);
}

/// The row may begin anywhere in the ring, so that frames cross its end.
void advance_to(base::TailRing& ring, Position start) {
  ring.unpark();
  while (ring.claimed() < start) ring.abandon(ring.claim(0).begin, 0);
  ring.give_back(0, start);
}

void write(base::TailRing& ring, const Written& record) {
  const auto space = ring.claim(record.text.size());
  RC_ASSERT(space.refusal == base::TailRing::Refusal::none);
  if (record.dropped) return ring.abandon(space.begin, record.text.size());
  std::memcpy(space.payload, record.text.data(), record.text.size());
  ring.publish(space.begin, record.text.size());
}

/// Checks the frame and that its records are the next ones of `row`.
void check(const Sealed& sealed, const std::vector<Written>& row, std::size_t& next) {
  RC_ASSERT(is_good(sealed));
  RC_ASSERT(is_flatbuffer(sealed));
  for (std::size_t at = 0; at < sealed.records.size();) {
    const RecordWord word = read_record_word(sealed.records.data() + at);
    const Written& record = row[next++];
    RC_ASSERT(word.length == record.text.size());
    RC_ASSERT((word.kind == RecordKind::padding) == record.dropped);
    if (!record.dropped) {
      RC_ASSERT(std::memcmp(sealed.records.data() + at + 8, record.text.data(), word.length) == 0);
    }
    at += padded_record_bytes(word.length);
  }
}

TEST(BatchProperty, WhateverWasWrittenComesOutOfVerifiedFrames) {
  EXPECT_TRUE(rc::check([] {
    const auto row = *written();
    const auto batch_bytes = *rc::gen::inRange<std::uint64_t>(1, 4096);
    const Position start = *rc::gen::inRange<Position>(0, kRing / 8) * 8;
    base::MappedRing mapped(kRing, base::largest_record(kRing));
    base::TailRing& ring = mapped.ring;
    advance_to(ring, start);
    for (const Written& record : row) {
      if (ring.claimed() + base::record_bytes(record.text.size()) > ring.limit()) break;
      write(ring, record);
    }
    std::size_t next = 0;
    Position begin = start;
    for (auto walk = ring.walk(begin, batch_bytes); walk.records > 0;
         walk = ring.walk(begin, batch_bytes)) {
      check(seal(ring, begin, walk), row, next);
      begin = walk.end;
    }
    RC_ASSERT(begin == ring.claimed());
  }));
}

TEST(BatchProperty, EveryFlippedBitOfABatchIsDetected) {
  base::MappedRing mapped(kRing, base::largest_record(kRing));
  mapped.ring.unpark();
  for (const char* text : {"first", "the second record", ""}) base::append(mapped.ring, text);
  const auto walk = mapped.ring.walk(0, kRing);
  Sealed sealed = seal(mapped.ring, 0, walk);
  std::vector<std::byte> records(sealed.records.begin(), sealed.records.end());
  sealed.records = records;
  ASSERT_TRUE(is_good(sealed));
  const auto flip = [](std::span<std::byte> bytes, std::size_t bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  };
  for (const std::span<std::byte> part :
       {std::span<std::byte>(sealed.prologue), std::span(records)}) {
    for (std::size_t bit = 0; bit < part.size() * 8; ++bit) {
      flip(part, bit);
      ASSERT_FALSE(is_good(sealed)) << bit;
      flip(part, bit);
    }
  }
}

}  // namespace
}  // namespace quorate::wire
