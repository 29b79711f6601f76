// A log that is written, read, given up and used again all at once, on a disk that does what disks
// do.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "log/log_reader.h"
#include "log/recovery.h"
#include "log/segment_collector.h"
#include "tests/simulation/system/disk.h"
#include "tests/support/log_frames.h"

namespace quorate::simulation {
namespace {

using log::LogFrame;
using log::LogReader;

const std::string kDirectory = "/log";
constexpr std::uint64_t kNoEvent = ~std::uint64_t{0};
constexpr std::uint64_t kRoundsMax = 1'000'000;
constexpr std::uint64_t kSegment = 64u << 10;

class ReadHost final : private FileCompletion,
                       private log::LogWriter::Listener,
                       public LogReader::Listener,
                       private log::SegmentCollector::Listener {
 public:
  explicit ReadHost(std::uint64_t seed)
      : scheduler_(seed), disk(scheduler_, Draw::of(seed, "disk")), draw_(Draw::of(seed, "read")) {
    restart();
    options_.limits.segment_bytes = kSegment;
    options_.limits.unit_bytes_max = 16u << 10;
    options_.limits.units_in_flight = 4;
    options_.direct = seed % 3 != 0;
    log::Metadata metadata;
    metadata.storage = identity_.storage;
    log::BlockingFiles blocking(*files_, [this] { turn(); });
    EXPECT_TRUE(log::create_log(blocking, kDirectory, metadata));
  }

  void restart() {
    files_ = disk.make_files(*this, Draw(draw_.bits()));
    dead_ = false;
  }
  /// So many frames, with the power failing after so many events.
  void live(int frames, std::uint64_t power_fails_at) {
    log::LogWriter writer(*files_, kDirectory, options_, start(), *this);
    log::SegmentCollector collector(*files_, kDirectory, *this);
    writer_ = &writer;
    EXPECT_TRUE(collector.start(1));
    writer.start();
    std::vector<std::unique_ptr<LogReader>> readers;
    std::uint64_t rounds = 0;
    for (events_ = 0; !dead_ && (frames > 0 || writer.durable() < writer.end());) {
      if (++rounds > kRoundsMax) FAIL() << "it hangs";
      append_some(writer, frames);
      collect(collector);
      read_some(readers);
      if (events_ >= power_fails_at) die();
      if (!writer.idle() || !collector.idle()) turn();
    }
    writer.stop();
    collector.stop();
    for (const auto& reader : readers) reader->stop();
    const auto idle = [&] {
      bool all = writer.idle() && collector.idle();
      for (const auto& reader : readers) all = all && reader->idle();
      return all;
    };
    while (!idle()) turn();
  }
  /// Everything that was durable and not given up. How many frames were read.
  std::size_t read_all(Error& error) {
    auto reader = make_reader(index.first());
    LogReader::Frame frame;
    std::size_t count = 0;
    for (;;) {
      while (take(*reader, frame)) ++count;
      if (reader->idle()) break;
      turn();
    }
    error = reader->error();
    return count;
  }
  [[nodiscard]] std::size_t frames_left() const {
    std::size_t count = 0;
    for (const LogFrame& frame : written_) {
      count += frame.header.begin >= index.first() && frame.header.end <= index.end() ? 1 : 0;
    }
    return count;
  }
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  Scheduler scheduler_;

 public:
  Disk disk;
  log::SegmentIndex index;
  std::size_t full_copies = 0;   ///< readers that came too late
  std::size_t frames_read = 0;
  std::size_t recycled = 0;
  std::size_t space_events = 0;

 private:
  log::WriteStart start() const {
    log::WriteStart begin;
    begin.identity = identity_;
    return begin;
  }
  std::unique_ptr<LogReader> make_reader(Position from) {
    auto reader = std::make_unique<LogReader>(*files_, kDirectory, identity_, index,
                                              options_.limits.unit_bytes_max, *this);
    reader->start(from);
    return reader;
  }
  void append_some(log::LogWriter& writer, int& left) {
    while (left > 0 && !draw_.chance(300)) {
      const log::LogEnd end = written_.empty() ? log::LogEnd{} : log::end_after(written_.back());
      const auto records = static_cast<std::size_t>(8 * draw_.magnitude(1, 700));
      LogFrame frame = log::make_frame(end, {1, 7}, records);
      if (writer.append(frame.header, frame.pieces()) != log::Admission::taken) break;
      written_.push_back(std::move(frame));
      --left;
    }
    writer.flush(scheduler_.now());
  }
  void collect(log::SegmentCollector& collector) {
    if (index.ranges().size() < 6 || !draw_.chance(200)) return;
    const std::uint64_t oldest = index.ranges()[draw_.chance(500) ? 1 : 3].number;
    index.drop_before(oldest);
    collector.collect(oldest);
  }
  void read_some(std::vector<std::unique_ptr<LogReader>>& readers) {
    if (readers.size() < 3 && draw_.chance(100)) readers.push_back(make_reader(index.first()));
    LogReader::Frame frame;
    for (auto& reader : readers) {
      // The last one is slow, so that what it wants next may be gone.
      if (readers.size() == 3 && reader == readers.back() && !draw_.chance(3)) continue;
      while (!draw_.chance(300) && take(*reader, frame)) ++frames_read;
      if (!reader->failed() || !reader->idle()) continue;
      if (!dead_) {
        EXPECT_EQ(reader->error().code, Errc::needs_full_copy) << reader->error().text;
      }
      ++full_copies;
      reader = make_reader(index.first());
    }
  }
  bool take(LogReader& reader, LogReader::Frame& frame) {
    if (!reader.next(index.end(), frame)) return false;
    const auto found = std::lower_bound(
        written_.begin(), written_.end(), frame.header.begin,
        [](const LogFrame& each, Position wanted) { return each.header.begin < wanted; });
    EXPECT_EQ(found->header.begin, frame.header.begin);
    EXPECT_TRUE(std::equal(frame.records.begin(), frame.records.end(),
                           found->bytes.begin() + wire::kFramePrologueBytes, found->bytes.end()));
    reader.release(frame.header.end);
    return true;
  }
  void die() {
    dead_ = true;
    disk.power_loss();
  }
  void turn() {
    if (completed_.empty() && !scheduler_.run_one()) FAIL() << "nothing happens any more";
    ++events_;
    while (!completed_.empty()) {
      const auto [operation, result] = completed_.front();
      completed_.pop_front();
      operation->state = reactor::Operation::State::idle;
      operation->complete(*operation, result);
    }
  }

  void on_file_done(reactor::Operation& operation, std::int32_t result) override {
    completed_.emplace_back(&operation, result);
  }
  void on_durable(Position) override {}
  void on_log_failed(const Error& error) override { EXPECT_TRUE(dead_) << error.text; }
  void on_log_space(const Error&) override { ++space_events; }
  void on_unit_durable(const log::DurableUnit& unit) override { index.on_unit(unit); }
  void on_segment_begun(const log::SegmentHeader& header) override {
    index.on_segment(header.number, header.first_position, header.segment_bytes);
  }
  void on_readable() override {}
  bool on_segment_free(std::uint64_t number) override {
    const bool taken = writer_->recycle(number);
    recycled += taken ? 1 : 0;
    return taken;
  }
  void on_collected(std::uint64_t) override {}
  void on_not_collected(const Error& error) override { EXPECT_TRUE(dead_) << error.text; }
  void on_collector_failed(const Error& error) override { EXPECT_TRUE(dead_) << error.text; }

  Draw draw_;
  log::LogOptions options_;
  const log::LogIdentity identity_{{0x1234, 0x5678}, 0};
  std::unique_ptr<reactor::Files> files_;
  std::deque<std::pair<reactor::Operation*, std::int32_t>> completed_;
  log::LogWriter* writer_ = nullptr;
  std::vector<LogFrame> written_;
  std::uint64_t events_ = 0;
  bool dead_ = false;
};

TEST(LogReading, ReadersFollowAWriterWhoseSegmentsAreUsedAgain) {
  std::size_t full_copies = 0, recycled = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    ReadHost host(seed);
    if (seed % 2 == 0) host.disk.law.short_results = 200'000;
    host.live(600, kNoEvent);
    Error error;
    EXPECT_EQ(host.read_all(error), host.frames_left()) << seed << " " << error.text;
    EXPECT_GT(host.frames_read, 100u) << seed;
    full_copies += host.full_copies;
    recycled += host.recycled;
  }
  EXPECT_GT(full_copies, 0u) << "no reader was ever too late";
  EXPECT_GT(recycled, 100u);
}

TEST(LogReading, WhateverIsUsedAgainWhenThePowerFailsWhatWasDurableStays) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    ReadHost host(seed);
    host.live(400, 300 + seed * 7);
    host.restart();
    Error error;
    EXPECT_EQ(host.read_all(error), host.frames_left()) << seed << " " << error.text;
  }
}

TEST(LogReading, AFullDiskGoesOnWithWhatRetentionGivesUp) {
  std::size_t space_events = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    ReadHost host(seed);
    // Metadata, and so many segments that the next one must wait until one is given up.
    host.disk.law.capacity_bytes = (128u << 10) + 6 * kSegment;
    host.live(600, kNoEvent);
    space_events += host.space_events;
    EXPECT_GT(host.recycled, 0u);
    Error error;
    EXPECT_EQ(host.read_all(error), host.frames_left()) << seed << " " << error.text;
  }
  EXPECT_GT(space_events, 20u) << "the disk was never full";
}

TEST(LogReading, WhatADiskDamagedIsNeverHandedOut) {
  std::size_t corrupt = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    ReadHost host(seed);
    host.live(200, kNoEvent);
    host.disk.law.bit_flips = 300'000;
    Error error;
    const std::size_t count = host.read_all(error);
    EXPECT_EQ(count < host.frames_left(), !error.text.empty());
    corrupt += error.code == Errc::corrupt && !error.text.empty() ? 1 : 0;
  }
  EXPECT_GT(corrupt, 10u);
}

TEST(LogReading, AReadThatIsRefusedIsAnError) {
  ReadHost host(5);
  host.live(200, kNoEvent);
  host.disk.fail_always(true);
  Error error;
  host.read_all(error);
  EXPECT_EQ(error.code, Errc::io);
  EXPECT_NE(error.text.find("/log/segment-"), std::string::npos) << error.text;
}

}  // namespace
}  // namespace quorate::simulation
