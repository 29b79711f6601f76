// `quorate log` on directories made by hand; tests/cluster runs it on those of nodes.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "log/segment_maker.h"
#include "tests/unit/log/segments.h"
#include "tools/load/owned_directory.h"
#include "tools/log/escape.h"
#include "tools/log/frame_check.h"
#include "tools/log/log_commands.h"
#include "tools/log/verdict.h"
#include "wire/batch.h"
#include "wire/crc32c.h"
#include "wire/records.h"

namespace quorate::tools {
namespace {

using log::SegmentBuilder;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(LogEscape, LeavesNothingThatATerminalObeys) {
  EXPECT_EQ(escaped(bytes_of("plain text"), 64), "plain text");
  EXPECT_EQ(escaped(bytes_of("a\\b\tc\r\n"), 64), "a\\\\b\\tc\\r\\n");
  EXPECT_EQ(escaped(bytes_of("\x1b[2J\x7f\xc2\x9b"), 64), "\\x1b[2J\\x7f\\xc2\\x9b");
  EXPECT_EQ(escaped(bytes_of(std::string_view("\0", 1)), 64), "\\x00");
  EXPECT_EQ(escaped(bytes_of("abcdef"), 3), "abc…");
  EXPECT_EQ(escaped({}, 3), "");
}

/// A frame of one record, whose body is then changed and gets a checksum that fits, or not.
struct Frame {
  log::LogFrame made;

  Frame() {
    const log::LogEnd begin;
    const Epoch epoch{1, 1};
    made = log::make_frame(begin, epoch, 24);
    const wire::RecordWord word{12, wire::RecordKind::data, 0};
    std::memcpy(records(), &word, sizeof word);
    seal();
  }
  std::byte* records() { return made.bytes.data() + wire::kFramePrologueBytes; }
  void seal() {
    made.header.body_crc = wire::crc32c(std::span<const std::byte>(made.bytes)
                                            .subspan(wire::kFrameHeaderBytes));
  }
  [[nodiscard]] std::string flaw() const { return flaw_of(made.header, made.bytes); }
};

TEST(LogFrameCheck, SaysWhatIsWrongWithABody) {
  EXPECT_EQ(Frame().flaw(), "");
  Frame flipped;
  flipped.records()[20] ^= std::byte{1};
  EXPECT_EQ(flipped.flaw(), "its body differs from its checksum");
  Frame kind;
  kind.records()[4] = std::byte{9};
  kind.seal();
  EXPECT_EQ(kind.flaw(), "its records are malformed");
  Frame length;
  length.records()[0] = std::byte{200};
  length.seal();
  EXPECT_EQ(length.flaw(), "its records are malformed");
  Frame count;
  count.records()[0] = std::byte{1};
  const wire::RecordWord second{0, wire::RecordKind::padding, 0};
  std::memcpy(count.records() + 16, &second, sizeof second);
  count.seal();
  EXPECT_EQ(count.flaw(), "it holds 2 records and states 1");
  Frame prefix;
  prefix.made.header.record_count = 7;
  EXPECT_EQ(prefix.flaw(), "its prefix is malformed");
}

class LogDirectory : public testing::Test, public StreamVisitor {
 protected:
  void SetUp() override {
    std::string why;
    reactor_ = std::move(*reactor::make_reactor(Backend::automatic, why));
    log::BlockingFiles files(reactor_->files(), [this] {
      reactor_->wait(kNever);
      reactor_->reap();
    });
    log::Metadata metadata;
    metadata.storage = log::kIdentity.storage;
    metadata.stream = log::kIdentity.stream;
    metadata.oldest_segment = 2;
    ASSERT_TRUE(log::create_log(files, stream(), metadata));
  }
  void put(std::uint64_t number, std::span<const std::byte> bytes) {
    std::ofstream file(log::segment_path(stream(), number), std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void put(const SegmentBuilder& segment) { put(segment.header.number, segment.bytes()); }
  StreamFacts examine() {
    const auto places = find_streams(directory_.path(), std::nullopt);
    EXPECT_EQ(places.value().size(), 1u);
    frames_ = 0;
    return LogExaminer::make().value().examine(places.value().at(0), *this).value();
  }
  void on_frame(const wire::FrameHeader&, std::span<const std::byte>) override { ++frames_; }
  [[nodiscard]] std::string stream() const { return directory_.path() + "/stream-00003"; }

  OwnedDirectory directory_ = OwnedDirectory::make_fresh("", false).value();
  std::unique_ptr<reactor::Reactor> reactor_;
  std::size_t frames_ = 0;
};

TEST_F(LogDirectory, SaysOfEachSegmentWhatItIs) {
  SegmentBuilder one(64u << 10, 1), two(64u << 10, 2), three(64u << 10, 3), four(64u << 10, 4);
  one.add({64});
  two.begin_at(one.end);
  two.add({400, 80});
  three.begin_at(two.end);
  three.add({400});
  four.begin_at(log::end_after(two.frames[0]), log::kCut);
  four.epoch = {6, 1};
  four.add({40});
  for (const SegmentBuilder* each : {&one, &two, &three, &four}) put(*each);
  put(5, std::vector<std::byte>(64u << 10));
  const StreamFacts facts = examine();
  EXPECT_EQ(verdict_text(facts, {}), "whole");
  EXPECT_EQ(facts.stream, 3u);
  EXPECT_EQ(frames_, 2u);
  ASSERT_EQ(facts.segments.size(), 5u);
  using Role = SegmentFacts::Role;
  const Role expected[] = {Role::left_over, Role::begun, Role::behind_cut, Role::begun,
                           Role::spare};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(facts.segments[i].role, expected[i]) << i + 1;
    EXPECT_EQ(facts.segments[i].cuts, i == 3) << i + 1;
  }
  EXPECT_EQ(facts.segments[1].units, 1u);
  EXPECT_EQ(facts.segments[1].end, 464u);
  EXPECT_EQ(facts.segments[3].end, 504u);
  EXPECT_EQ(facts.found.epochs.back().end, 504u);
}

TEST_F(LogDirectory, ALogThatBeganAnewIsExplained) {
  SegmentBuilder two(64u << 10, 2), three(64u << 10, 3);
  two.add({64});
  three.begin_at({8000, 0, {6, 1}, 5}, log::kAnew);
  three.epoch = {7, 1};
  put(two);
  EXPECT_EQ(anew_text(examine()), "");
  put(three);
  const StreamFacts facts = examine();
  EXPECT_EQ(verdict_text(facts, {}), "whole");
  EXPECT_EQ(facts.segments[0].role, SegmentFacts::Role::left_over);
  EXPECT_EQ(facts.segments[1].role, SegmentFacts::Role::begun);
  const std::string line = "segment 3 began the log anew at position 8000: nothing of earlier "
                           "segments counts";
  EXPECT_EQ(anew_text(facts), line);
  LogCommandOptions options;
  options.directory = directory_.path();
  for (const auto verb : {verify_log, inspect_log}) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(verb(options), 0);
    EXPECT_NE(testing::internal::GetCapturedStdout().find(line), std::string::npos);
  }
  testing::internal::CaptureStderr();
  EXPECT_EQ(dump_log(options, {}), 0);
  EXPECT_NE(testing::internal::GetCapturedStderr().find(line), std::string::npos);
}

/// Units vouch for their bytes, so only the content can tell.
TEST_F(LogDirectory, VerifyLooksAtRecords) {
  SegmentBuilder two(64u << 10, 2);
  two.add({64});  // of random bytes, which are no records
  put(two);
  EXPECT_EQ(verdict_text(examine(), {}), "whole");
  LogCommandOptions options;
  options.directory = directory_.path();
  testing::internal::CaptureStdout();
  EXPECT_EQ(verify_log(options), 1);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_NE(said.find("stream 3: fault at frame 0…64: its records are malformed"),
            std::string::npos)
      << said;
}

TEST_F(LogDirectory, StreamsAreFoundByNumber) {
  std::filesystem::create_directory(directory_.path() + "/stream-00001");
  const auto all = find_streams(directory_.path() + "//", std::nullopt);
  ASSERT_EQ(all.value().size(), 2u);
  EXPECT_EQ(all.value()[0].stream, 1u);
  EXPECT_EQ(all.value()[1].path, stream());
  EXPECT_EQ(find_streams(directory_.path(), 3).value().size(), 1u);
  EXPECT_EQ(find_streams(stream(), std::nullopt).value()[0].stream, 3u);
  const auto none = find_streams(directory_.path(), 2);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().text, "--stream: found 2, allowed in " + directory_.path() + ": 1, 3");
}

}  // namespace
}  // namespace quorate::tools
