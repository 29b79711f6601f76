// Bytes that no encoder makes. Bodies lie in memory of exactly their size, so the sanitizers of CI
// see every read that goes astray.

#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "tests/unit/wire/messages.h"
#include "wire/verify.h"

namespace quorate::wire {
namespace {

TEST(HostileBody, EveryTruncationIsRefused) {
  for (const Message& message : valid_messages()) {
    // The last bytes may be padding, whose loss changes nothing.
    for (std::size_t size = 0; size + 8 <= message.body.size(); ++size) {
      const Exact cut(std::span(message.body).first(size));
      ASSERT_FALSE(message.accepts(cut.bytes())) << message.name << " cut to " << size;
    }
    for (std::size_t size = message.body.size() - 7; size < message.body.size(); ++size) {
      const Exact cut(std::span(message.body).first(size));
      ASSERT_EQ(message.accepts(cut.bytes()), message.read(cut.bytes())) << message.name;
    }
  }
}

TEST(HostileBody, UnalignedMemoryIsRefused) {
  for (const Message& message : valid_messages()) {
    std::vector<std::byte> memory(message.body.size() + 8);
    for (std::size_t shift = 1; shift < 8; ++shift) {
      std::memcpy(memory.data() + shift, message.body.data(), message.body.size());
      const std::span<const std::byte> body(memory.data() + shift, message.body.size());
      ASSERT_FALSE(message.accepts(body)) << message.name << " at " << shift;
    }
  }
}

/// A table whose only field is a list, written by hand with the list's length at `length_at`.
Exact list_body(std::uint16_t field, std::uint32_t length_at, std::uint32_t entries,
                std::size_t size) {
  std::vector<std::byte> bytes(size);
  const auto put = [&](std::size_t at, auto value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
  };
  put(0, std::uint32_t{16});  // root
  put(4, static_cast<std::uint16_t>(6 + 2 * field));
  put(6, std::uint16_t{8});
  put(8 + 2 * field, std::uint16_t{4});
  put(16, std::int32_t{12});  // back to the vtable
  put(20, length_at - 20);
  put(length_at, entries);
  return Exact(bytes);
}

TEST(HostileBody, ListsWhoseEntriesAreNotAlignedAreRefused) {
  struct Case {
    const char* name;
    bool (*accepts)(std::span<const std::byte>);
    std::uint16_t field;
  };
  const Case cases[] = {
      {"resume", [](auto b) { return view_resume(b) != nullptr; }, 0},
      {"reply", [](auto b) { return view_resume_reply(b) != nullptr; }, 0},
      {"acks", [](auto b) { return view_acknowledgements(b) != nullptr; }, 0},
      {"heartbeat", [](auto b) { return view_heartbeat(b) != nullptr; }, 1},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(c.accepts(list_body(c.field, 28, 1, 128).bytes())) << c.name;
    EXPECT_FALSE(c.accepts(list_body(c.field, 24, 1, 128).bytes())) << c.name;
    EXPECT_TRUE(c.accepts(list_body(c.field, 24, 0, 128).bytes())) << c.name;
    EXPECT_FALSE(c.accepts(list_body(c.field, 28, 9, 128).bytes())) << c.name;
    EXPECT_FALSE(c.accepts(list_body(c.field, 28, 0x04000001, 128).bytes())) << c.name;
    EXPECT_FALSE(c.accepts(list_body(c.field, 28, 0xFFFFFFFF, 128).bytes())) << c.name;
  }
}

/// Offsets, lengths and vtables are made of words: every one is replaced by values that point to
/// itself, just before or behind, to the ends, or nowhere.
TEST(HostileBody, DeepAndLoopingOffsetsAreSurvived) {
  int refused = 0;
  for (const Message& message : valid_messages()) {
    for (std::size_t at = 0; at + 4 <= message.body.size(); at += 2) {
      const auto size = static_cast<std::uint32_t>(message.body.size());
      for (const std::uint32_t word :
           {0u, 1u, 2u, 4u, 8u, 16u, ~0u, ~3u, ~7u, ~15u, 0x7FFFFFFFu, 0x80000000u, size, size - 4,
            static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(-at)}) {
        const Exact body(message.body);
        std::memcpy(body.bytes().data() + at, &word, sizeof word);
        if (!message.read(body.bytes())) ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(HostileBody, StreamsThatPointToThemselvesAreRefused) {
  flatbuffers::FlatBufferBuilder fbb;
  std::vector<flatbuffers::Offset<fb::ReplicaState>> none;
  const auto stream = fb::CreateStreamState(fbb, 1, 2, 3, 4, 5, fbb.CreateVector(none));
  const auto streams = fbb.CreateVector(&stream, 1);
  fbb.Finish(fb::CreateStatus(fbb, fbb.CreateString("a"), 1, streams));
  std::vector<std::byte> bytes((fbb.GetSize() + 7) / 8 * 8);
  std::memcpy(bytes.data(), fbb.GetBufferPointer(), fbb.GetSize());
  const Exact body(bytes);
  const auto* status = view_status(body.bytes());
  ASSERT_NE(status, nullptr);
  const auto entry =
      reinterpret_cast<const std::byte*>(status->streams()->Data()) - body.bytes().data();
  std::memset(body.bytes().data() + entry, 0, 4);
  EXPECT_EQ(view_status(body.bytes()), nullptr);
}

TEST(HostileBody, RandomChangesAreSurvived) {
  base::Random random(2024);
  for (const Message& message : valid_messages()) {
    for (int round = 0; round < 20'000; ++round) {
      const Exact body(message.body);
      for (std::uint64_t changes = 1 + random.below(6); changes > 0; --changes) {
        body.bytes()[random.below(body.bytes().size())] = static_cast<std::byte>(random.next());
      }
      ASSERT_EQ(message.accepts(body.bytes()), message.read(body.bytes())) << message.name;
    }
  }
}

TEST(HostileBody, OtherMessagesAreSurvived) {
  const auto messages = valid_messages();
  int refused = 0;
  for (const Message& one : messages) {
    for (const Message& other : messages) {
      if (!one.read(Exact(other.body).bytes())) ++refused;
    }
  }
  EXPECT_GT(refused, 20);
}

}  // namespace
}  // namespace quorate::wire
