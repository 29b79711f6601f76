// Framing and verifying batches of 16-byte records, and the checksum under both.

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "wire/batch.h"
#include "wire/crc32c.h"
#include "wire/frame.h"
#include "wire/records.h"

namespace {

using namespace quorate::wire;

constexpr std::uint32_t kPayload = 16;
using Prologue = std::array<std::byte, kFramePrologueBytes>;

std::vector<std::byte> some_records(std::int64_t count) {
  std::vector<std::byte> bytes;
  for (std::int64_t i = 0; i < count; ++i) {
    const RecordWord word{kPayload, RecordKind::data, 0};
    const std::size_t at = bytes.size();
    bytes.resize(at + padded_record_bytes(kPayload), static_cast<std::byte>(i));
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  return bytes;
}

void seal(Prologue& out, std::span<const std::byte> records, std::uint32_t count) {
  const auto prefix = std::span(out).subspan<kFrameHeaderBytes>();
  write_batch_prefix(prefix, count, 1, records.size());
  FrameHeader header;
  header.body_bytes = static_cast<std::uint32_t>(kBatchPrefixBytes + records.size());
  header.record_count = count;
  header.end = records.size();
  header.body_crc = crc32c(records, crc32c(prefix));
  encode_frame_header(header, std::span(out).first<kFrameHeaderBytes>());
}

/// The prologue alone: it must cost the same for any number of records.
void frame_without_body_checksum(benchmark::State& state) {
  const auto records = some_records(state.range(0));
  Prologue prologue;
  FrameHeader header;
  header.body_bytes = static_cast<std::uint32_t>(kBatchPrefixBytes + records.size());
  header.record_count = static_cast<std::uint32_t>(state.range(0));
  header.end = records.size();
  for (auto _ : state) {
    write_batch_prefix(std::span(prologue).subspan<kFrameHeaderBytes>(), header.record_count, 1,
                       records.size());
    encode_frame_header(header, std::span(prologue).first<kFrameHeaderBytes>());
    benchmark::DoNotOptimize(prologue);
  }
}
BENCHMARK(frame_without_body_checksum)->ArgName("records")->Arg(1)->Arg(10'000);

void frame_with_body_checksum(benchmark::State& state) {
  const auto records = some_records(state.range(0));
  Prologue prologue;
  for (auto _ : state) {
    seal(prologue, records, static_cast<std::uint32_t>(state.range(0)));
    benchmark::DoNotOptimize(prologue);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(records.size()));
}
BENCHMARK(frame_with_body_checksum)->ArgName("records")->Arg(1)->Arg(10'000);

/// All that a replica checks of a frame.
void verify_frame(benchmark::State& state) {
  const auto records = some_records(state.range(0));
  Prologue prologue;
  seal(prologue, records, static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    FrameHeader header;
    const auto error =
        decode_frame_header(std::span(prologue).first<kFrameHeaderBytes>(), records.size(), header);
    const auto prefix = std::span(prologue).subspan<kFrameHeaderBytes>();
    const bool good =
        error == DecodeError::none && crc32c(records, crc32c(prefix)) == header.body_crc &&
        view_batch_prefix(prefix, records.size()).ok && count_records(records) == state.range(0);
    if (!good) state.SkipWithError("the frame does not verify");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(records.size()));
}
BENCHMARK(verify_frame)->ArgName("records")->Arg(1)->Arg(10'000);

template <std::uint32_t (*kChecksum)(std::span<const std::byte>, std::uint32_t) noexcept>
void checksum(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5A});
  for (auto _ : state) benchmark::DoNotOptimize(kChecksum(bytes, 0));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum<&crc32c>)->Name("crc32c")->RangeMultiplier(8)->Range(64, 1 << 20);
BENCHMARK(checksum<&crc32c_portable>)->Name("crc32c_portable")->Arg(64)->Arg(1 << 20);

}  // namespace
