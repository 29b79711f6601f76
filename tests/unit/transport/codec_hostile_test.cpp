// Bodies with good checksums and bad contents: decoded or refused, never read beyond their end. The
// sanitizers watch; each body stands in memory of exactly its size.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <random>

#include "transport/codec.h"

namespace quorate::transport {
namespace {

using Body = std::span<const std::byte>;

struct Message {
  const char* name;
  std::function<Body(Encoder&)> encode;
  std::function<bool(Body)> decode;
};

template <typename Out>
std::function<bool(Body)> decodes(bool (*decode)(Body, Out&)) {
  return [decode](Body body) {
    Out out;
    return decode(body, out);
  };
}

std::vector<Message> messages() {
  return {
      {"hello",
       [](Encoder& e) {
         core::Hello hello;
         hello.cluster = "cluster";
         hello.node = "node";
         return e.hello(hello);
       },
       decodes(decode_hello)},
      {"welcome",
       [](Encoder& e) {
         core::Welcome welcome;
         welcome.node = "node";
         return e.welcome(welcome);
       },
       decodes(decode_welcome)},
      {"snapshot_begin",
       [](Encoder& e) {
         core::SnapshotHead head;
         head.id = 1;
         return e.snapshot_begin(head);
       },
       decodes(decode_snapshot_begin)},
      {"snapshot_request", [](Encoder& e) { return e.snapshot_request({1, 2, 3}); },
       decodes(decode_snapshot_request)},
      {"snapshot_chunk",
       [](Encoder& e) { return e.snapshot_chunk(1, 2, std::vector<std::byte>(9)); },
       decodes(decode_snapshot_chunk)},
      {"resume", [](Encoder& e) { return e.resume(std::vector<core::ResumeClaim>(3)); },
       decodes(decode_resume)},
      {"resume_reply",
       [](Encoder& e) { return e.resume_reply(std::vector<core::ResumeVerdict>(3)); },
       decodes(decode_resume_reply)},
      {"acknowledgements",
       [](Encoder& e) { return e.acknowledgements(std::vector<core::Acknowledgement>(3)); },
       decodes(decode_acknowledgements)},
      {"heartbeat",
       [](Encoder& e) { return e.heartbeat(1, std::vector<core::Commit>(3), true); },
       [](Body body) {
         std::vector<core::Commit> out;
         bool awaited = false;
         return decode_heartbeat(body, out, awaited);
       }},
      {"status_request", [](Encoder& e) { return e.status_request(1, 2); },
       [](Body body) {
         std::uint32_t begin = 0;
         std::uint32_t count = 0;
         return decode_status_request(body, begin, count);
       }},
      {"status",
       [](Encoder& e) {
         StreamStatus stream;
         stream.replicas.resize(2);
         for (ReplicaStatus& replica : stream.replicas) replica.name = "replica";
         return e.status("node", 1, std::vector{stream, stream});
       },
       [](Body body) {
         std::vector<StreamStatus> out;
         std::uint32_t total = 0;
         return decode_status(body, total, out);
       }},
  };
}

/// A copy that ends where its memory ends.
struct Exact {
  explicit Exact(Body body) : bytes(new std::byte[body.size()]), size(body.size()) {
    std::copy(body.begin(), body.end(), bytes.get());
  }
  [[nodiscard]] Body body() const { return {bytes.get(), size}; }
  std::unique_ptr<std::byte[]> bytes;
  std::size_t size;
};

TEST(CodecHostile, ATruncatedBodyIsRefused) {
  for (const Message& message : messages()) {
    SCOPED_TRACE(message.name);
    Encoder encoder;
    const Exact whole(message.encode(encoder));
    EXPECT_TRUE(message.decode(whole.body()));
    for (std::size_t size = 0; size + 8 <= whole.size; size += 8) {
      const bool decoded = message.decode(Exact(whole.body().first(size)).body());
      EXPECT_FALSE(decoded) << size << " of " << whole.size;
    }
  }
}

TEST(CodecHostile, AnyFlippedBitsAreReadWithinBounds) {
  std::mt19937 random(3);
  for (const Message& message : messages()) {
    Encoder encoder;
    const Exact whole(message.encode(encoder));
    int refused = 0;
    for (int round = 0; round < 4000; ++round) {
      Exact spoiled(whole.body());
      for (auto flips = 1 + random() % 3; flips > 0; --flips) {
        spoiled.bytes[random() % spoiled.size] ^= static_cast<std::byte>(1u << random() % 8);
      }
      refused += message.decode(spoiled.body()) ? 0 : 1;
    }
    EXPECT_GT(refused, 0) << message.name;
  }
}

TEST(CodecHostile, NoiseIsRefused) {
  std::mt19937 random(4);
  for (const Message& message : messages()) {
    for (int round = 0; round < 1000; ++round) {
      std::vector<std::byte> noise(8 * (random() % 40));
      for (std::byte& byte : noise) byte = static_cast<std::byte>(random() % 7 == 0 ? random() : 0);
      const Exact body{Body(noise)};
      message.decode(body.body());
    }
    EXPECT_FALSE(message.decode({})) << message.name;
  }
}

/// A length that reaches beyond the end of the body.
TEST(CodecHostile, AVectorThatIsTooLongIsRefused) {
  Encoder encoder;
  const Exact whole(encoder.acknowledgements(std::vector<core::Acknowledgement>(3)));
  int found = 0;
  for (std::size_t at = 0; at + 4 <= whole.size; at += 4) {
    std::uint32_t value = 0;
    std::memcpy(&value, whole.bytes.get() + at, sizeof value);
    if (value != 3) continue;
    ++found;
    for (const std::uint32_t length : {4u, 1000u, 0x10000000u, 0xFFFFFFFFu}) {
      Exact spoiled(whole.body());
      std::memcpy(spoiled.bytes.get() + at, &length, sizeof length);
      std::vector<core::Acknowledgement> out;
      EXPECT_FALSE(decode_acknowledgements(spoiled.body(), out)) << length;
    }
  }
  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace quorate::transport
