// Every single bit of a small log that is flipped is noticed, and whatever recovery makes of it, no
// frame is handed out whose bytes are not those that were written. QUORATE_FLIPS=all flips all
// bits; without it all of headers are, and one of each byte of what lies behind them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include "log/segment_maker.h"
#include "log_rig.h"
#include "memory_files.h"

namespace quorate::log {
namespace {

constexpr std::uint64_t kSegmentBytes = 32u << 10;

/// Compares frames with those that were written, and keeps nothing.
class Comparison final : public FrameVisitor {
 public:
  explicit Comparison(const std::vector<LogFrame>& written) : written_(written) {}
  void on_frame(const wire::FrameHeader&, std::span<const std::byte> frame) override {
    const bool same = count < written_.size() && frame.size() == written_[count].bytes.size() &&
                      std::equal(frame.begin(), frame.end(), written_[count].bytes.begin());
    if (!same) ++differing;
    ++count;
  }
  std::size_t count = 0;
  std::size_t differing = 0;

 private:
  const std::vector<LogFrame>& written_;
};

struct Kind {
  const char* name;
  bool closed;  ///< in order
  bool anew;    ///< it began anew, with all that was before still there
};

class FlippedLog : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    LogRig rig(Backend::automatic);
    rig.options.limits = {kSegmentBytes, 8u << 10, 2, 1};
    directory_ = rig.directory;
    rig.open_writer(WriteStart());
    if (GetParam().anew) {
      rig.write(3, 1400);
      rig.begin_anew(4000);
    }
    first_ = GetParam().anew ? 2 : 1;
    while (rig.index.ranges().size() < 2) rig.write(1, 1400);
    rig.write(1, 5000);
    rig.write(1, 600);
    while (!rig.has_file(rig.index.ranges().back().number + 1)) rig.turn();
    units_ = rig.units;
    written_ = rig.written;
    // Of the last unit nothing says that it was durable, unless the log was closed in order.
    const Position known = closed() ? rig.durable : units_.back().first;
    rig.close_writer();
    save_metadata(rig, known);
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
      files_.content[entry.path()] = {begin, begin + bytes.size()};
    }
    files_.content.erase(directory_ + "/segment.new");
    known_ = known;
    ASSERT_EQ(recover().state, RecoveryState::whole);
    ASSERT_EQ(frames_, written_.size());
    ASSERT_EQ(differing_, 0u);
  }
  [[nodiscard]] static bool closed() { return GetParam().closed; }

  void save_metadata(LogRig& rig, Position known) {
    struct Saved final : MetadataFile::Listener {
      void on_saved(const Status& status) override { EXPECT_TRUE(status); }
    } saved;
    BlockingFiles blocking = rig.blocking();
    MetadataFile file(rig.reactor->files(), directory_);
    Metadata metadata = **file.load(blocking);
    metadata.promised_number = 5;
    metadata.known_committed = metadata.known_durable = known;
    metadata.oldest_segment = first_;
    if (closed()) metadata.flags |= kClosed;
    file.save(metadata, saved);
    while (file.saving()) rig.turn();
  }

  Recovered recover() {
    BlockingFiles blocking(files_, [this] { files_.turn(); });
    MetadataFile metadata(files_, directory_);
    Comparison comparison(written_);
    auto found = Recovery(blocking, metadata, directory_, 0, comparison, RecoveryMode::examine)
                     .run();
    frames_ = comparison.count;
    differing_ = comparison.differing;
    promised_ = metadata.latest().promised_number;
    EXPECT_TRUE(found);
    return found ? *found : Recovered();
  }
  /// Flips that bit, recovers and flips it back.
  Recovered recover_with(std::vector<std::byte>& bytes, std::uint64_t at, int bit) {
    ++flips_;
    const auto mask = std::byte{static_cast<unsigned char>(1u << bit)};
    bytes[at] ^= mask;
    Recovered found = recover();
    bytes[at] ^= mask;
    return found;
  }
  std::vector<std::byte>& segment(std::uint64_t number) {
    return files_.content.at(segment_path(directory_, number));
  }
  /// The unit that holds the byte; null: none does.
  const DurableUnit* unit_at(std::uint64_t number, std::uint64_t at) const {
    for (const DurableUnit& unit : units_) {
      if (unit.segment == number && at >= unit.offset && at < unit.offset + unit.bytes) {
        return &unit;
      }
    }
    return nullptr;
  }
  std::size_t frames_before(Position position) const {
    std::size_t count = 0;
    while (count < written_.size() && written_[count].header.end <= position) ++count;
    return count;
  }

  [[nodiscard]] static bool wants_all() {
    const char* how_many = std::getenv("QUORATE_FLIPS");
    return how_many != nullptr && std::string_view(how_many) == "all";
  }
  template <typename Check>
  void flip_all_of(std::uint64_t number, const Check& check) {
    std::vector<std::byte>& bytes = segment(number);
    for (std::uint64_t at = 0; at < bytes.size() && !HasFailure(); ++at) {
      const DurableUnit* unit = unit_at(number, at);
      const std::uint64_t in_unit = unit != nullptr ? at - unit->offset : at;
      const bool dense = wants_all() || in_unit < kHeaderBytes + wire::kFramePrologueBytes;
      for (int bit = 0; bit < 8; ++bit) {
        if (!dense && bit != static_cast<int>(at % 8)) continue;
        const Recovered found = recover_with(bytes, at, bit);
        ASSERT_EQ(differing_, 0u) << number << ' ' << at << ' ' << bit;
        check(found, unit, at);
        ASSERT_FALSE(HasFailure()) << number << " at " << at << " bit " << bit << ": "
                                   << to_string(found.state) << ' ' << found.why;
      }
    }
  }

  MemoryFiles files_;
  std::string directory_;
  std::vector<LogFrame> written_;
  std::vector<DurableUnit> units_;
  std::uint64_t first_ = 1;  ///< segment that counts
  Position known_ = 0;
  std::size_t frames_ = 0;
  std::size_t differing_ = 0;
  std::uint64_t promised_ = 0;
  std::uint64_t flips_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Log, FlippedLog,
                         testing::Values(Kind{"left_open", false, false},
                                         Kind{"closed_in_order", true, false},
                                         Kind{"begun_anew", false, true},
                                         Kind{"begun_anew_closed", true, true}),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

/// Whatever is in them, they are left over.
TEST_P(FlippedLog, WhatLiesBeforeTheBeginningMattersToNobody) {
  for (std::uint64_t number = 1; number < first_; ++number) {
    flip_all_of(number, [&](const Recovered& found, const DurableUnit*, std::uint64_t) {
      ASSERT_EQ(found.state, RecoveryState::whole);
      ASSERT_EQ(frames_, written_.size());
    });
  }
}

TEST_P(FlippedLog, OneCopyOfTheMetadataIsNoLoss) {
  std::vector<std::byte>& bytes = files_.content.at(directory_ + "/metadata");
  for (const std::uint64_t sequence : {0u, 1u}) {
    for (const std::size_t copy : {0u, 1u}) {
      const std::uint64_t begin = metadata_offset(sequence, copy);
      for (std::uint64_t at = begin; at < begin + kBlockBytes && !HasFailure(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
          const bool dense = wants_all() || at - begin < kHeaderBytes;
          if (!dense && bit != static_cast<int>(at % 8)) continue;
          const Recovered found = recover_with(bytes, at, bit);
          ASSERT_EQ(found.state, RecoveryState::whole) << at << ' ' << bit << ' ' << found.why;
          ASSERT_EQ(frames_, written_.size()) << at << ' ' << bit;
          ASSERT_EQ(promised_, 5u) << at << ' ' << bit << ": an old promise came back";
          ASSERT_GE(found.floor, known_);
        }
      }
    }
  }
  RecordProperty("flips", std::to_string(flips_));
}

/// Everything before a segment that was begun was durable: any damage of its units is a fault.
TEST_P(FlippedLog, AFinishedSegment) {
  flip_all_of(first_, [&](const Recovered& found, const DurableUnit* unit, std::uint64_t at) {
    if (at < kBlockBytes || unit != nullptr) {
      ASSERT_EQ(found.state, RecoveryState::fault);
      ASSERT_EQ(frames_, unit != nullptr ? frames_before(unit->first) : 0u);
      ASSERT_GT(found.unknown_until, found.start.end.position);
    } else {
      ASSERT_EQ(found.state, RecoveryState::whole);
      ASSERT_EQ(frames_, written_.size());
      ASSERT_EQ(found.stray_blocks, 1u) << "behind its units";
    }
  });
  RecordProperty("flips", std::to_string(flips_));
}

TEST_P(FlippedLog, TheLastSegment) {
  const std::uint64_t last = units_.back().segment;
  flip_all_of(last, [&](const Recovered& found, const DurableUnit* unit, std::uint64_t at) {
    const std::size_t before = unit != nullptr ? frames_before(unit->first)
                               : at < kBlockBytes ? frames_before(units_.front().first)
                                                  : written_.size();
    if (at < kBlockBytes) {
      ASSERT_EQ(found.state, RecoveryState::fault);
      return;
    }
    ASSERT_EQ(frames_, before);
    const bool torn = found.state == RecoveryState::whole && found.torn.has_value();
    // Behind the end of a log that was closed in order nothing was in flight, so bytes there pass
    // for the rest of a segment whose file this one took over. They are overwritten as it goes on.
    if (closed() && unit == nullptr && found.state == RecoveryState::whole) return;
    ASSERT_TRUE(torn || found.state == RecoveryState::fault) << "not noticed";
    // What is known to have been durable is never called torn.
    if (unit != nullptr && (closed() || unit->first < known_)) {
      ASSERT_FALSE(torn);
    }
    if (torn) {
      const std::uint64_t end = units_.back().offset + units_.back().bytes;
      ASSERT_EQ(found.torn->offset, unit != nullptr ? unit->offset : end);
      ASSERT_GT(found.torn->used_end, at);
    }
  });
  RecordProperty("flips", std::to_string(flips_));
}

/// What was made ahead holds nothing that could be lost: only nothing wrong may come of it.
TEST_P(FlippedLog, TheSpareSegment) {
  const std::uint64_t spare = units_.back().segment + 1;
  ASSERT_TRUE(files_.content.contains(segment_path(directory_, spare)));
  flip_all_of(spare, [&](const Recovered& found, const DurableUnit*, std::uint64_t at) {
    ASSERT_EQ(frames_, written_.size());
    if (at >= kBlockBytes) {
      ASSERT_EQ(found.state, RecoveryState::fault) << "not noticed";
    }
  });
  RecordProperty("flips", std::to_string(flips_));
}

}  // namespace
}  // namespace quorate::log
