// `quorate log inspect`: what a log holds.

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tools/cli/text.h"
#include "tools/log/log_commands.h"
#include "tools/log/verdict.h"
#include "tools/verbs.h"

namespace quorate::tools {

namespace {

class Nothing final : public StreamVisitor {
 public:
  void on_frame(const wire::FrameHeader&, std::span<const std::byte>) override {}
};

std::string storage_text(const log::StorageId& id) {
  return fmt::format("{:016x}{:016x}", id.high, id.low);
}

std::string incarnation_text(const Epoch& epoch) {
  return fmt::format("{:016x}", epoch.incarnation);
}

std::string epoch_text(const Epoch& epoch) {
  return fmt::format("{}/{}", epoch.number, incarnation_text(epoch));
}

std::string segments_json(const StreamFacts& facts) {
  JsonArray segments;
  for (const SegmentFacts& segment : facts.segments) {
    JsonObject json;
    json.add("number", segment.number)
        .add("role", to_string(segment.role))
        .add("first", segment.first)
        .add("end", segment.end)
        .add("bytes", segment.bytes)
        .add("units", segment.units)
        .add("cuts", segment.cuts);
    segments.raw(json.text());
  }
  return segments.text();
}

std::string epochs_json(const StreamFacts& facts) {
  JsonArray epochs;
  for (const log::EpochEnd& each : facts.found.epochs) {
    JsonObject json;
    json.add("epoch", each.epoch.number)
        .add("incarnation", incarnation_text(each.epoch))
        .add("end", each.end);
    epochs.raw(json.text());
  }
  return epochs.text();
}

std::string stream_json(const StreamFacts& facts) {
  const log::Metadata& metadata = facts.metadata;
  JsonObject json;
  json.add("stream", facts.stream).add("path", facts.place.path);
  add_verdict(json, facts, {});
  json.add("storage", storage_text(metadata.storage))
      .add("promised", epoch_text({metadata.promised_number, metadata.promised_incarnation}))
      .add("closed", (metadata.flags & log::kClosed) != 0)
      .add("known_committed", metadata.known_committed)
      .add("known_durable", metadata.known_durable)
      .add("oldest_segment", metadata.oldest_segment)
      .add("first", facts.found.first.position)
      .add("end", facts.found.start.end.position)
      .add("units", facts.found.units)
      .add("disk_bytes", facts.disk_bytes)
      .add("cut_copies", facts.cut_copies)
      .raw("epochs", epochs_json(facts))
      .raw("segments", segments_json(facts));
  return json.text();
}

std::string epochs_table(const StreamFacts& facts) {
  Table table(1);
  table.row({"  epoch", "end"});
  for (const log::EpochEnd& each : facts.found.epochs) {
    table.row({"  " + epoch_text(each.epoch), std::to_string(each.end)});
  }
  return facts.found.epochs.empty() ? std::string() : table.text();
}

std::string segments_table(const StreamFacts& facts) {
  Table table(2);
  table.row({"  segment", "state", "first", "end", "units", "size", "cuts"});
  for (const SegmentFacts& segment : facts.segments) {
    const bool counts = segment.role == SegmentFacts::Role::begun ||
                        segment.role == SegmentFacts::Role::behind_cut;
    const auto known = [&](std::uint64_t value) { return counts ? std::to_string(value) : "-"; };
    table.row({fmt::format("  {}", segment.number), to_string(segment.role), known(segment.first),
               known(segment.end), known(segment.units), byte_text(segment.bytes),
               segment.cuts ? "yes" : "-"});
  }
  return facts.segments.empty() ? std::string() : table.text();
}

std::string stream_text(const StreamFacts& facts) {
  const log::Metadata& metadata = facts.metadata;
  std::string text = fmt::format("stream {} in {}\n  state            {}\n", facts.stream,
                                 facts.place.path, verdict_text(facts, {}));
  const bool known = facts.found.state == log::RecoveryState::whole ||
                     facts.found.state == log::RecoveryState::fault;
  if (known) {
    text += fmt::format("  storage          {}\n  promise          {}{}\n",
                        storage_text(metadata.storage),
                        epoch_text({metadata.promised_number, metadata.promised_incarnation}),
                        (metadata.flags & log::kClosed) != 0 ? ", closed in order" : "");
    text += fmt::format("  known committed  {}\n  known durable    {}\n  positions        {}…{}\n",
                        metadata.known_committed, metadata.known_durable,
                        facts.found.first.position, facts.found.start.end.position);
  }
  if (facts.found.anew) text += fmt::format("  begun anew       {}\n", anew_text(facts));
  text += fmt::format("  on disk          {}\n", byte_text(facts.disk_bytes));
  if (facts.cut_copies > 0) text += fmt::format("  copies of cuts   {}\n", facts.cut_copies);
  return text + epochs_table(facts) + segments_table(facts);
}

}  // namespace

int inspect_log(const LogCommandOptions& options) {
  const auto places = find_streams(options.directory, options.stream);
  if (!places) return fail("log inspect", places.error());
  auto examiner = LogExaminer::make();
  if (!examiner) return fail("log inspect", examiner.error());
  Nothing nothing;
  JsonArray streams;
  for (const StreamPlace& place : *places) {
    const auto facts = examiner->examine(place, nothing);
    if (!facts) return fail("log inspect", facts.error());
    if (options.json) {
      streams.raw(stream_json(*facts));
    } else {
      fmt::print("{}", stream_text(*facts));
    }
  }
  if (options.json) {
    JsonObject json;
    json.add("directory", options.directory).raw("streams", streams.text());
    fmt::print("{}\n", json.text());
  }
  return 0;
}

}  // namespace quorate::tools
