#include "wire/batch.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "wire/quorate_generated.h"

namespace quorate::wire {

namespace {

/// A Batch with an empty last vector, and where its changing scalars stand. Built by the
/// FlatBuffers builder itself, so the layout is the library's and not ours.
struct Template {
  std::byte bytes[kBatchPrefixBytes];
  std::size_t record_count_at = 0;
  std::size_t sealed_at_at = 0;
  static constexpr std::size_t kVectorLengthAt = kBatchPrefixBytes - 4;

  Template() {
    flatbuffers::FlatBufferBuilder builder(256);
    builder.ForceDefaults(true);
    // The vector's bytes must start 8-aligned: they are the records.
    builder.ForceVectorAlignment(0, sizeof(std::uint8_t), 8);
    const auto records = builder.CreateVector(static_cast<const std::uint8_t*>(nullptr), 0);
    builder.Finish(fb::CreateBatch(builder, 0, 0, records));
    const std::uint8_t* built = builder.GetBufferPointer();
    const auto* batch = flatbuffers::GetRoot<fb::Batch>(built);
    const auto* end = reinterpret_cast<const std::uint8_t*>(batch->records()) + 4;
    if (builder.GetSize() != kBatchPrefixBytes || end != built + kBatchPrefixBytes) {
      std::fprintf(stderr, "quorate: batch prefix is %u bytes, expected %zu\n", builder.GetSize(),
                   kBatchPrefixBytes);
      std::abort();
    }
    std::memcpy(bytes, built, kBatchPrefixBytes);
    const auto* table = reinterpret_cast<const flatbuffers::Table*>(batch);
    record_count_at =
        static_cast<std::size_t>(table->GetAddressOf(fb::Batch::VT_RECORD_COUNT) - built);
    sealed_at_at =
        static_cast<std::size_t>(table->GetAddressOf(fb::Batch::VT_SEALED_AT_NS) - built);
  }
};

const Template& batch_template() {
  static const Template value;
  return value;
}

/// True when nothing that is read of the table shares bytes with the vector's length at `limit`:
/// the prefix is verified with the length emptied, and must mean the same with it.
bool reads_end_before(const std::uint8_t* limit, const fb::Batch& batch) noexcept {
  const auto& table = reinterpret_cast<const flatbuffers::Table&>(batch);
  const std::uint8_t* vtable = table.GetVTable();
  if (vtable + flatbuffers::ReadScalar<flatbuffers::voffset_t>(vtable) > limit) return false;
  const std::uint8_t* record_count = table.GetAddressOf(fb::Batch::VT_RECORD_COUNT);
  const std::uint8_t* sealed_at = table.GetAddressOf(fb::Batch::VT_SEALED_AT_NS);
  return (record_count == nullptr || record_count + sizeof(std::uint32_t) <= limit) &&
         (sealed_at == nullptr || sealed_at + sizeof(std::uint64_t) <= limit);
}

}  // namespace

void write_batch_prefix(std::span<std::byte, kBatchPrefixBytes> out, std::uint32_t record_count,
                        std::uint64_t sealed_at_ns, std::uint64_t records_bytes) noexcept {
  const Template& model = batch_template();
  std::memcpy(out.data(), model.bytes, kBatchPrefixBytes);
  std::memcpy(out.data() + model.record_count_at, &record_count, sizeof record_count);
  std::memcpy(out.data() + model.sealed_at_at, &sealed_at_ns, sizeof sealed_at_ns);
  const auto length = static_cast<std::uint32_t>(records_bytes);
  std::memcpy(out.data() + Template::kVectorLengthAt, &length, sizeof length);
}

BatchView view_batch_prefix(std::span<const std::byte, kBatchPrefixBytes> prefix,
                            std::uint64_t records_bytes) noexcept {
  alignas(8) std::uint8_t scratch[kBatchPrefixBytes];
  std::memcpy(scratch, prefix.data(), kBatchPrefixBytes);
  std::uint32_t length;
  std::memcpy(&length, scratch + Template::kVectorLengthAt, sizeof length);
  if (length != records_bytes) return {};
  // With the vector emptied the prefix is a whole buffer.
  std::memset(scratch + Template::kVectorLengthAt, 0, sizeof length);
  flatbuffers::Verifier verifier(scratch, kBatchPrefixBytes, 8, 4);
  if (!verifier.VerifyBuffer<fb::Batch>(nullptr)) return {};
  const auto* batch = flatbuffers::GetRoot<fb::Batch>(scratch);
  const auto* vector = reinterpret_cast<const std::uint8_t*>(batch->records());
  if (vector != scratch + Template::kVectorLengthAt || !reads_end_before(vector, *batch)) return {};
  return {true, batch->record_count(), batch->sealed_at_ns()};
}

}  // namespace quorate::wire
