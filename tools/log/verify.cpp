// `quorate log verify`: whether a log is what was written.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tools/cli/text.h"
#include "tools/log/frame_check.h"
#include "tools/log/log_commands.h"
#include "tools/log/verdict.h"
#include "tools/process/process.h"
#include "tools/verbs.h"

namespace quorate::tools {

namespace {

constexpr double kProgress_s = 0.25;

class Check final : public StreamVisitor {
 public:
  Check() : shows_(::isatty(STDERR_FILENO) == 1) {}
  ~Check() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }

  void on_begin() override {
    before_ += content.bytes;
    content = ContentFacts();
  }
  void on_segment(const log::SegmentHeader& header) override {
    content.bytes += header.segment_bytes;
    show(header.stream, header.number);
  }
  void on_frame(const wire::FrameHeader& header, std::span<const std::byte> frame) override {
    ++content.frames;
    content.records += header.record_count;
    const std::string flaw = flaw_of(header, frame);
    if (flaw.empty() || content.bad_frames++ > 0) return;
    content.first_bad = fmt::format("frame {}…{}: {}", header.begin, header.end, flaw);
  }

  [[nodiscard]] std::uint64_t all_bytes() const { return before_ + content.bytes; }
  [[nodiscard]] double seconds() const { return now_s() - start_s_; }

  ContentFacts content;

 private:
  void show(StreamId stream, std::uint64_t segment) {
    if (!shows_ || now_s() < show_s_) return;
    show_s_ = now_s() + kProgress_s;
    shown_ = true;
    fmt::print(stderr, "\rstream {}, segment {}: {} read\x1b[K", stream, segment,
               byte_text(all_bytes()));
    std::fflush(stderr);
  }

  const bool shows_;
  bool shown_ = false;
  const double start_s_ = now_s();
  double show_s_ = start_s_ + kProgress_s;
  std::uint64_t before_ = 0;  ///< bytes of streams before
};

double rate_mb(const Check& check) {
  const double seconds = check.seconds();
  return seconds > 0 ? static_cast<double>(check.all_bytes()) / 1e6 / seconds : 0;
}

std::string stream_json(const StreamFacts& facts, const ContentFacts& content) {
  JsonObject json;
  json.add("stream", facts.stream).add("path", facts.place.path);
  add_verdict(json, facts, content);
  json.add("first", facts.found.first.position)
      .add("end", facts.found.start.end.position)
      .add("segments", facts.found.segments.size())
      .add("units", facts.found.units)
      .add("frames", content.frames)
      .add("records", content.records)
      .add("bad_frames", content.bad_frames)
      .add("stray_blocks", facts.found.stray_blocks)
      .add("bytes", content.bytes);
  return json.text();
}

std::string stream_text(const StreamFacts& facts, const ContentFacts& content) {
  std::string text = fmt::format("stream {}: {}\n", facts.stream, verdict_text(facts, content));
  text += fmt::format("  positions {}…{}: {} segments, {} units, {} frames, {} records\n",
                      facts.found.first.position, facts.found.start.end.position,
                      facts.found.segments.size(), facts.found.units, content.frames,
                      content.records);
  if (facts.found.anew) text += fmt::format("  {}\n", anew_text(facts));
  if (facts.found.stray_blocks > 0) {
    text += fmt::format("  {} blocks behind the end of finished segments are explained by nothing; "
                        "no record lies there\n",
                        facts.found.stray_blocks);
  }
  return text;
}

}  // namespace

int verify_log(const LogCommandOptions& options) {
  const auto places = find_streams(options.directory, options.stream);
  if (!places) return fail("log verify", places.error());
  auto examiner = LogExaminer::make();
  if (!examiner) return fail("log verify", examiner.error());
  Check check;
  bool good = true;
  JsonArray streams;
  std::string text;
  for (const StreamPlace& place : *places) {
    const auto facts = examiner->examine(place, check);
    if (!facts) return fail("log verify", facts.error());
    good = good && is_good(*facts, check.content);
    streams.raw(stream_json(*facts, check.content));
    text += stream_text(*facts, check.content);
  }
  if (!options.json) {
    fmt::print("{}{} read in {:.2f} s, {} MB/s\n", text, byte_text(check.all_bytes()),
               check.seconds(), short_number(rate_mb(check)));
    return good ? 0 : 1;
  }
  JsonObject json;
  json.add("directory", options.directory)
      .add("good", good)
      .add("bytes", check.all_bytes())
      .add("seconds", check.seconds())
      .add("mb_per_second", rate_mb(check))
      .raw("streams", streams.text());
  fmt::print("{}\n", json.text());
  return good ? 0 : 1;
}

}  // namespace quorate::tools
