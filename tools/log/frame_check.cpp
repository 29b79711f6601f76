#include "tools/log/frame_check.h"

#include <fmt/format.h>

#include "wire/batch.h"
#include "wire/crc32c.h"
#include "wire/records.h"

namespace quorate::tools {

std::string flaw_of(const wire::FrameHeader& header, std::span<const std::byte> frame) {
  const auto body = frame.subspan(wire::kFrameHeaderBytes);
  if (wire::crc32c(body) != header.body_crc) return "its body differs from its checksum";
  const auto records = frame.subspan(wire::kFramePrologueBytes);
  const wire::BatchView view = wire::view_batch_prefix(
      frame.subspan<wire::kFrameHeaderBytes, wire::kBatchPrefixBytes>(), records.size());
  if (!view.ok || view.record_count != header.record_count) return "its prefix is malformed";
  const std::int64_t count = wire::count_records(records);
  if (count < 0) return "its records are malformed";
  if (count == header.record_count) return {};
  return fmt::format("it holds {} records and states {}", count, header.record_count);
}

}  // namespace quorate::tools
