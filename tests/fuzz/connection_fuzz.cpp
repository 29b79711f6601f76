// The whole receiving side of a connection, fed with a mutated stream in chunks of any size.

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/units.h"
#include "tests/support/memory_reactor.h"
#include "tests/unit/wire/messages.h"
#include "transport/connection.h"
#include "wire/records.h"

namespace {

using namespace quorate;

constexpr std::uint64_t kRecordsMax = 1u << 16;
constexpr std::uint32_t kAdmittedStaging = 64u << 10;
/// What a connection may hold for its peer: the staging buffer, one goodbye twice over, itself.
constexpr std::size_t kMemoryMax = kAdmittedStaging + (32u << 10);

/// Takes everything a stream can bring, and checks that the connection kept its promises.
class Taker final : public transport::Connection::Sink {
 public:
  void on_message(const wire::Envelope& envelope, std::span<const std::byte> body) override {
    CHECK(!closed_ && records_ == nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(body.data()) % 8 == 0);
    for (const auto& message : messages()) message.read(body);
    if (envelope.type == wire::MessageType::hello) connection->admit(kAdmittedStaging, kRecordsMax);
  }
  std::byte* on_frame_header(const wire::Envelope&, const wire::FrameHeader& header) override {
    CHECK(!closed_ && records_ == nullptr);
    if (header.stream % 16 == 15) {
      connection->refuse(core::GoodbyeReason::protocol_violation, "no such stream");
      return nullptr;
    }
    size_ = header.end - header.begin;
    CHECK(size_ <= kRecordsMax);
    records_ = std::make_unique<std::byte[]>(size_);
    return records_.get();
  }
  void on_frame(const wire::Envelope&, const wire::FrameHeader& header) override {
    CHECK(wire::count_records({records_.get(), size_}) == std::int64_t{header.record_count});
    records_.reset();
  }
  void on_send_ready() override { CHECK(!closed_); }
  void on_closed(const std::string& why) override {
    CHECK(!closed_ && !why.empty());
    closed_ = true;
  }

  [[nodiscard]] bool closed() const { return closed_; }
  transport::Connection* connection = nullptr;

 private:
  static const std::vector<wire::Message>& messages() {
    static const auto all = wire::valid_messages();
    return all;
  }

  std::unique_ptr<std::byte[]> records_;
  std::size_t size_ = 0;
  bool closed_ = false;
};

FuzzInput input_of(std::uint8_t flags, std::uint8_t chunks, const std::vector<std::byte>& stream) {
  FuzzInput input{flags, chunks};
  for (const std::byte b : stream) input.push_back(std::to_integer<std::uint8_t>(b));
  return input;
}

}  // namespace

std::vector<FuzzInput> fuzz_seeds() {
  std::vector<FuzzInput> seeds;
  for (std::uint8_t flags = 0; flags < 4; ++flags) {
    seeds.push_back(input_of(flags, 0, quorate::fuzz::all_units()));
    seeds.push_back(input_of(flags, 255, quorate::fuzz::all_units()));
    seeds.push_back(input_of(flags, 16, quorate::fuzz::batches(3)));
  }
  return seeds;
}

/// First byte: bit 0 repairs checksums, bit 1 admits from the start. Second byte: size of chunks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::vector<std::byte> stream(size - 2);
  if (size > 2) std::memcpy(stream.data(), data + 2, size - 2);
  if (data[0] & 1) quorate::fuzz::repair(stream);
  tests::MemoryReactor reactor;
  const auto socket = reactor.open(stream, 1 + std::size_t{data[1]} * data[1], data[1]);
  Taker taker;
  transport::Connection connection(reactor, socket, taker, {});
  taker.connection = &connection;
  if (data[0] & 2) connection.admit(kAdmittedStaging, kRecordsMax);
  connection.start();
  // Every turn receives at least one byte; what remains are the turns of a goodbye.
  for (std::size_t turn = 0; !taker.closed() && turn < stream.size() + 4096; ++turn) {
    reactor.wait(0);
    reactor.reap();
    CHECK(connection.memory_bytes() <= kMemoryMax);
  }
  CHECK(taker.closed() && reactor.closed(socket));
  return 0;
}
