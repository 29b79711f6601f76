#include "tools/load/content_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace quorate::tools {

bool ContentCheck::on_record(const Record& record) {
  if (record.stream >= streams_.size()) streams_.resize(record.stream + 1);
  StreamState& stream = streams_[record.stream];
  if (record.begin < stream.end) return false;
  stream.end = record.end;
  Stamp stamp;
  if (stamped_ && read_stamp(record.payload, stamp)) {
    if (stamp.kind == StampKind::digest && record.payload.size() == sizeof(DigestRecord)) {
      compare(stream, record);
      return true;
    }
    check_order(stream, stamp);
  }
  stream.digest.add(record.payload, record.end);
  return false;
}

void ContentCheck::begin_with(StreamId stream, const StreamDigest& digest, Position end) {
  if (stream >= streams_.size()) streams_.resize(stream + 1);
  streams_[stream] = {digest, end, {}};
}

/// A writer's records count upwards, not one by one: some are too short to say which they are, and
/// the rows of a trace are dealt to several streams. What is missing shows in the digest.
void ContentCheck::check_order(StreamState& stream, const Stamp& stamp) {
  auto known = std::find_if(stream.next_index.begin(), stream.next_index.end(),
                            [&](const auto& entry) { return entry.first == stamp.writer; });
  if (known == stream.next_index.end()) {
    known = stream.next_index.insert(known, {stamp.writer, 0});
  }
  if (stamp.index < known->second && disorder_.empty()) {
    disorder_ = fmt::format("stream {}: writer {}: record {} came after record {}", stamp.stream,
                            stamp.writer, stamp.index, known->second - 1);
  }
  known->second = stamp.index + 1;
}

void ContentCheck::compare(const StreamState& stream, const Record& record) {
  DigestRecord expected;
  std::memcpy(&expected, record.payload.data(), sizeof expected);
  const bool equal = expected.digest == stream.digest && disorder_.empty();
  equal_ = equal_ && equal;
  line_ = digest_line(record.stream, record.end, stream.digest, equal);
}

}  // namespace quorate::tools
