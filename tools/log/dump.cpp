// `quorate log dump`: the frames and records of a log.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "tools/log/escape.h"
#include "tools/log/log_commands.h"
#include "tools/log/verdict.h"
#include "tools/verbs.h"
#include "wire/records.h"

namespace quorate::tools {

namespace {

constexpr std::size_t kShownBytes = 64;

const char* name_of(wire::RecordKind kind) {
  switch (kind) {
    case wire::RecordKind::unpublished: return "unpublished";
    case wire::RecordKind::data: return "data";
    case wire::RecordKind::padding: return "padding";
    case wire::RecordKind::epoch_start: return "epoch_start";
  }
  return "?";
}

class Dump final : public StreamVisitor {
 public:
  explicit Dump(const DumpOptions& options)
      : options_(options), left_(options.limit), terminal_(::isatty(STDOUT_FILENO) == 1) {}

  void begin_stream() { printed_ = options_.from; }
  void on_frame(const wire::FrameHeader& header, std::span<const std::byte> frame) override {
    const bool wanted = header.end > printed_ && header.begin < options_.to && left_ > 0;
    if (!wanted) return;
    if (!options_.payload) print_frame(header);
    if (options_.records || options_.payload) {
      print_records(header, frame.subspan(wire::kFramePrologueBytes));
    } else {
      --left_;
    }
    // When segments go meanwhile the log is read again, and what was printed is not repeated.
    printed_ = header.end;
  }

 private:
  static void print_frame(const wire::FrameHeader& header) {
    fmt::print("frame stream={} begin={} end={} epoch={}/{:016x} records={} checksum={:08x}\n",
               header.stream, header.begin, header.end, header.epoch_number,
               header.epoch_incarnation, header.record_count, header.header_crc);
  }
  void print_records(const wire::FrameHeader& header, std::span<const std::byte> bytes) {
    if (wire::count_records(bytes) < 0) {
      fmt::print(stderr, "frame {}…{}: its records are malformed\n", header.begin, header.end);
      return;
    }
    for (std::uint64_t at = 0; at < bytes.size() && left_ > 0;) {
      const wire::RecordWord word = wire::read_record_word(bytes.data() + at);
      const Position position = header.begin + at;
      const auto payload = bytes.subspan(at + sizeof word, word.length);
      at += wire::padded_record_bytes(word.length);
      if (position < options_.from || position >= options_.to) continue;
      if (options_.payload && word.kind != wire::RecordKind::data) continue;
      --left_;
      options_.payload ? print_payload(payload) : print_record(position, word, payload);
    }
  }
  static void print_record(Position position, const wire::RecordWord& word,
                           std::span<const std::byte> payload) {
    fmt::print("  record position={} kind={} length={} \"{}\"\n", position, name_of(word.kind),
               word.length, escaped(payload, kShownBytes));
  }
  /// As it is for a file or another program; what a terminal might obey is escaped for it.
  void print_payload(std::span<const std::byte> payload) const {
    if (terminal_) {
      fmt::print("{}\n", escaped(payload, payload.size()));
      return;
    }
    std::fwrite(payload.data(), 1, payload.size(), stdout);
    std::fputc('\n', stdout);
  }

  const DumpOptions& options_;
  std::uint64_t left_;
  const bool terminal_;
  Position printed_ = 0;
};

}  // namespace

int dump_log(const LogCommandOptions& options, const DumpOptions& dump) {
  const auto places = find_streams(options.directory, options.stream);
  if (!places) return fail("log dump", places.error());
  auto examiner = LogExaminer::make();
  if (!examiner) return fail("log dump", examiner.error());
  Dump visitor(dump);
  bool good = true;
  for (const StreamPlace& place : *places) {
    visitor.begin_stream();
    const auto facts = examiner->examine(place, visitor);
    if (!facts) return fail("log dump", facts.error());
    if (verdict_word(*facts, {}) != "whole") {
      fmt::print(stderr, "stream {}: {}\n", facts->stream, verdict_text(*facts, {}));
    }
    if (facts->found.anew) fmt::print(stderr, "stream {}: {}\n", facts->stream, anew_text(*facts));
    good = good && is_good(*facts, {});
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return fail("log dump", Error(Errc::io, "stdout cannot be written"));
  }
  return good ? 0 : 1;
}

}  // namespace quorate::tools
