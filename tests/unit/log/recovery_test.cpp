// What recovery makes of directories of segments: cuts, files that were used again, leftovers, and
// what it tells of them. Segments are built by hand, so that each case is one line.

#include <algorithm>
#include <filesystem>
#include <functional>

#include "memory_files.h"
#include "recovery_rig.h"

namespace quorate::log {
namespace {

TEST_F(LogRecovery, OfALogThatWasCutAnywhereOnlyWhatLiesBeforeCounts) {
  const Old old;
  for (std::size_t kept = 0; kept <= 8; ++kept) {
    for (const std::size_t more : {0u, 3u}) {
      begin();
      put(old.one);
      put(old.two);
      const LogEnd at = kept == 0 ? LogEnd{} : old.end(kept - 1);
      SegmentBuilder three = cut_at(at, 3);
      for (std::size_t i = 0; i < more; ++i) three.add({200});
      put(three);
      const Recovered recovered = recover();
      ASSERT_EQ(recovered.state, RecoveryState::whole) << kept << ' ' << recovered.why;
      ASSERT_EQ(found_.frames.size(), kept + more);
      for (std::size_t i = 0; i < kept; ++i) {
        ASSERT_EQ(found_.frames[i].bytes, old.frame(i).bytes) << kept << ' ' << i;
      }
      EXPECT_EQ(recovered.start.end, three.end);
      EXPECT_EQ(recovered.start.segment, 3u);
      EXPECT_EQ(recovered.start.last_segment, 3u);
      EXPECT_EQ(recovered.floor, at.position + (more == 0 ? 0 : 400)) << "not what was cut";
      EXPECT_EQ(recovered.stray_blocks, 0u);
      ASSERT_EQ(recovered.segments.size(), 3u);
      EXPECT_EQ(recovered.segments[0].end, std::min<Position>(at.position, 960));
      EXPECT_EQ(recovered.segments[1].end, at.position);
      EXPECT_EQ(recovered.segments[2].first, at.position);
      EXPECT_EQ(recovered.segments[2].end, three.end.position);
      EXPECT_EQ(recovered.segments[2].bytes, 64u << 10);
    }
  }
}

TEST_F(LogRecovery, CutsFollowEachOther) {
  const Old old;
  // How many frames each cut keeps of those that are there then.
  for (const std::vector<std::size_t>& cuts : std::vector<std::vector<std::size_t>>{
           {5, 2}, {2, 5}, {5, 5}, {0, 0}, {8, 9, 1}, {3, 4, 5, 6}, {6, 5, 4, 0}}) {
    begin();
    put(old.one);
    put(old.two);
    std::vector<LogFrame> log(old.one.frames);
    log.insert(log.end(), old.two.frames.begin(), old.two.frames.end());
    std::uint64_t number = 3;
    for (const std::size_t kept : cuts) {
      log.resize(kept);
      SegmentBuilder segment = cut_at(log.empty() ? LogEnd{} : end_after(log.back(), 77), number,
                                      number + 10);
      segment.add({200, 80});
      segment.add({200});
      put(segment);
      log.insert(log.end(), segment.frames.begin(), segment.frames.end());
      ++number;
      const Recovered recovered = recover();
      ASSERT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
      ASSERT_EQ(found_.frames.size(), log.size());
      for (std::size_t i = 0; i < log.size(); ++i) ASSERT_EQ(found_.frames[i].bytes, log[i].bytes);
      EXPECT_EQ(recovered.epochs.back().end, log.back().header.end);
    }
  }
}

TEST_F(LogRecovery, WhatLiesBehindACutMayBeDamagedAndWhatLiesBeforeMayNot) {
  struct Case {
    const char* name;
    std::size_t kept;
    std::uint64_t segment, offset;
    bool whole;
  };
  const Case cases[] = {
      {"header of a segment behind", 4, 2, 40, true},
      {"unit of a segment behind", 4, 2, kBlockBytes + 40, true},
      {"unit behind in the segment of the cut", 2, 1, 2 * kBlockBytes + 40, true},
      {"header of the first segment, all of which is cut", 0, 1, 40, true},
      {"unit before", 4, 1, kBlockBytes + 200, false},
      {"unit in which it lies", 3, 1, 2 * kBlockBytes + 200, false},
      {"header of the segment in which it lies", 5, 2, 40, false},
      {"header before", 4, 1, 40, false},
  };
  for (const Case& c : cases) {
    Old old;
    spoil(c.segment == 1 ? old.one : old.two, c.offset);
    begin();
    put(old.one);
    put(old.two);
    SegmentBuilder three = cut_at(c.kept == 0 ? LogEnd{} : old.end(c.kept - 1), 3);
    three.add({200});
    put(three);
    const Recovered recovered = recover();
    EXPECT_EQ(recovered.state, c.whole ? RecoveryState::whole : RecoveryState::fault)
        << c.name << ": " << recovered.why;
    if (c.whole) {
      EXPECT_EQ(found_.frames.size(), c.kept + 1) << c.name;
    } else {
      EXPECT_EQ(recovered.unknown_until, three.end.position) << c.name;
    }
  }
}

TEST_F(LogRecovery, ACutFallsOnTheEndOfAFrame) {
  const Old old;
  const auto state_of = [&](auto change) {
    begin();
    put(old.one);
    put(old.two);
    LogEnd at = old.end(2);
    change(at);
    put(cut_at(at, 3));
    return recover().state;
  };
  EXPECT_EQ(state_of([](LogEnd&) {}), RecoveryState::whole);
  EXPECT_EQ(state_of([](LogEnd& at) { at.unit_crc ^= 1; }), RecoveryState::whole);
  EXPECT_EQ(state_of([](LogEnd& at) { at.position += 8; }), RecoveryState::fault);
  EXPECT_EQ(state_of([](LogEnd& at) { at.position = 4000; }), RecoveryState::fault);
  EXPECT_EQ(state_of([](LogEnd& at) { at.frame_checksum ^= 1; }), RecoveryState::fault);
  EXPECT_EQ(state_of([](LogEnd& at) { at.epoch.number -= 1; }), RecoveryState::fault);
}

TEST_F(LogRecovery, AFaultIsLeftBehindByACut) {
  Old old;
  spoil(old.two, 2 * kBlockBytes + 200);
  metadata_.known_durable = 1920;
  begin();
  put(old.one);
  put(old.two);
  Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::fault);
  EXPECT_EQ(recovered.start.end.position, 1440u);
  EXPECT_EQ(recovered.unknown_until, 1920u);
  EXPECT_EQ(recovered.segments.back().end, 1440u);
  metadata_.known_durable = 1440;
  begin();
  put(old.one);
  put(old.two);
  put(cut_at(recovered.start.end, recovered.start.last_segment + 1));
  recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.start.end.position, 1440u);
}

TEST_F(LogRecovery, ACutThatWasNotWrittenLeavesTheOldLog) {
  const Old old;
  const AlignedBuffer zeros(64u << 10);
  const AlignedBuffer torn(64u << 10);
  torn.data()[100] = std::byte{1};
  for (const AlignedBuffer* header : {&zeros, &torn}) {
    begin();
    put(old.one);
    put(old.two);
    put(3, zeros.span());  // made ahead, before the cut
    put(4, header->span());
    const Recovered recovered = recover();
    EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
    EXPECT_EQ(recovered.start.end, old.two.end);
    EXPECT_EQ(recovered.start.segment, 2u);
    EXPECT_EQ(recovered.start.last_segment, 4u);
    // What was made ahead stays in the middle when the cut was written.
    put(cut_at(old.end(5), 4));
    EXPECT_EQ(recover().state, RecoveryState::whole);
    EXPECT_EQ(found_.frames.size(), 6u);
  }
}

/// Frames that were cut must not be told of only because the segment that says so is damaged.
TEST_F(LogRecovery, NothingThatWasCutComesBackWithDamage) {
  const Old old;
  for (const bool missing : {false, true}) {
    SegmentBuilder three = cut_at(old.end(1), 3), four(64u << 10, 4);
    three.add({200});
    four.begin_at(three.end);
    four.add({200});
    spoil(three, 40);
    begin();
    put(old.one);
    put(old.two);
    if (!missing) put(three);
    put(four);
    const Recovered recovered = recover();
    EXPECT_EQ(recovered.state, RecoveryState::fault);
    EXPECT_LE(recovered.start.end.position, missing ? 680u : 480u);
    EXPECT_GE(recovered.unknown_until, four.end.position);
  }
}

TEST_F(LogRecovery, WhatIsMissingBehindACutIsNotMissed) {
  const Old old;
  struct Case {
    std::uint64_t oldest;
    std::size_t kept;
    bool one, two, whole;
  };
  const Case cases[] = {{1, 3, true, false, true},   {1, 4, true, false, true},
                        {1, 5, true, false, false},  {1, 0, false, false, true},
                        {1, 1, false, true, false},  {2, 6, false, true, true},
                        {2, 6, false, false, false}, {2, 4, false, false, false}};
  for (const Case& c : cases) {
    metadata_.oldest_segment = c.oldest;
    begin();
    if (c.one) put(old.one);
    if (c.two) put(old.two);
    put(cut_at(c.kept == 0 ? LogEnd{} : old.end(c.kept - 1), 3));
    const Recovered recovered = recover();
    EXPECT_EQ(recovered.state, c.whole ? RecoveryState::whole : RecoveryState::fault)
        << c.oldest << ' ' << c.kept << ' ' << c.one << c.two << ": " << recovered.why;
  }
}

TEST_F(LogRecovery, SegmentsBelowTheOldestAreIgnored) {
  Old old;
  metadata_.oldest_segment = 2;
  for (const bool damaged : {false, true}) {
    if (damaged) spoil(old.one, 40);
    for (const bool there : {true, false}) {
      begin();
      if (there) put(old.one);
      put(old.two);
      const Recovered recovered = recover();
      EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
      EXPECT_EQ(recovered.first, old.one.end);
      ASSERT_EQ(recovered.segments.size(), 1u);
      EXPECT_EQ(recovered.segments[0].first, 960u);
      EXPECT_EQ(found_.frames.size(), 4u);
      ASSERT_EQ(recovered.epochs.size(), 1u);
    }
  }
  // Cut where the log begins; then without the segment that begins there.
  put(cut_at(old.one.end, 3));
  EXPECT_EQ(recover().state, RecoveryState::whole);
  EXPECT_TRUE(found_.frames.empty());
  metadata_.oldest_segment = 5;
  begin();
  EXPECT_EQ(recover().state, RecoveryState::fault) << "the oldest one is missing";
}

TEST_F(LogRecovery, TheLastEpochsAreTold) {
  SegmentBuilder one(4u << 20, 1);
  for (std::uint64_t i = 1; i <= 300; ++i) {
    one.epoch = {10 + i, 3};
    one.add({8});
    one.add({16});
  }
  begin();
  put(one);
  const Recovered recovered = recover();
  ASSERT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  ASSERT_EQ(recovered.epochs.size(), kEpochsMax);
  for (std::uint64_t i = 0; i < kEpochsMax; ++i) {
    EXPECT_EQ(recovered.epochs[i].epoch, (Epoch{10 + 45 + i, 3}));
    EXPECT_EQ(recovered.epochs[i].end, 24 * (45 + i));
  }
}

TEST_F(LogRecovery, AFileThatWasUsedBeforeIsPreparedAsItIs) {
  const Old old;
  struct Case {
    const char* name;
    std::function<void(SegmentBuilder&)> change;
    bool whole;
  };
  SegmentBuilder begun(64u << 10, 3);
  begun.begin_at(old.two.end);
  begun.add({64});
  const auto own_unit = [&](SegmentBuilder& s, std::uint64_t at) {
    std::copy_n(begun.bytes().begin() + kBlockBytes, kBlockBytes,
                s.bytes().begin() + static_cast<std::ptrdiff_t>(at));
  };
  const Case cases[] = {
      {"as it was", [](SegmentBuilder&) {}, true},
      {"header torn", [](SegmentBuilder& s) { s.bytes()[20] ^= std::byte{1}; }, true},
      {"header zero", [](SegmentBuilder& s) { std::fill_n(s.bytes().begin(), 128, std::byte{0}); },
       true},
      {"of another storage", [](SegmentBuilder& s) { s.header.storage.low = 1; s.seal(); }, false},
      {"of another stream", [](SegmentBuilder& s) { s.header.stream = 9; s.seal(); }, false},
      {"of a later segment", [](SegmentBuilder& s) { s.header.number = 9; s.seal(); }, false},
      {"begun under a stale header", [&](SegmentBuilder& s) { own_unit(s, kBlockBytes); }, false},
      {"begun under a torn header",
       [&](SegmentBuilder& s) {
         s.bytes()[20] ^= std::byte{1};
         own_unit(s, kBlockBytes);
       },
       false},
      {"strange under a torn header",
       [](SegmentBuilder& s) {
         s.bytes()[20] ^= std::byte{1};
         s.bytes()[40 * 1024] = std::byte{1};
       },
       false},
  };
  for (const Case& c : cases) {
    SegmentBuilder prepared = old.one;
    c.change(prepared);
    begin();
    put(old.one);
    put(old.two);
    put(3, prepared.bytes());
    const Recovered recovered = recover();
    EXPECT_EQ(recovered.state, c.whole ? RecoveryState::whole : RecoveryState::fault)
        << c.name << ": " << recovered.why;
    if (c.whole) {
      EXPECT_EQ(recovered.start.end, old.two.end) << c.name;
    }
  }
}

TEST_F(LogRecovery, StaleUnitsBehindAFinishedSegmentAreNotStrange) {
  Old old;
  SegmentBuilder before(64u << 10, 0);
  before.header.number = 0;
  for (int i = 0; i < 6; ++i) before.add({7000});
  const std::uint64_t end = old.one.offset;
  std::copy(before.bytes().begin() + static_cast<std::ptrdiff_t>(end), before.bytes().end(),
            old.one.bytes().begin() + static_cast<std::ptrdiff_t>(end));
  begin();
  put(old.one);
  put(old.two);
  Recovered recovered = recover();
  EXPECT_EQ(recovered.state, RecoveryState::whole) << recovered.why;
  EXPECT_EQ(recovered.stray_blocks, 0u);
  old.one.bytes()[63u << 10] = std::byte{1};
  put(old.one);
  EXPECT_EQ(recover().stray_blocks, 1u);
}

TEST_F(LogRecovery, LookingChangesNothingAndSaysWhatARepairWouldDo) {
  struct Case {
    const char* name;
    std::function<void(Old&)> change;
    RecoveryState state;
    bool torn;
  };
  const Case cases[] = {
      {"whole", [](Old&) {}, RecoveryState::whole, false},
      {"torn", [](Old& old) { old.two.bytes()[old.two.offset + 9] = std::byte{1}; },
       RecoveryState::whole, true},
      {"fault", [](Old& old) { spoil(old.one, kBlockBytes + 200); }, RecoveryState::fault, false},
  };
  for (const Case& c : cases) {
    Old old;
    c.change(old);
    begin();
    put(old.one);
    put(old.two);
    const auto before = content();
    const Recovered seen = recover(RecoveryMode::examine);
    EXPECT_EQ(content(), before) << c.name;
    EXPECT_EQ(seen.state, c.state) << c.name;
    EXPECT_EQ(seen.torn.has_value(), c.torn) << c.name;
    EXPECT_EQ(seen.cut_copy, "") << c.name;
    const std::size_t frames = found_.frames.size();
    const Recovered repaired = recover();
    EXPECT_EQ(found_.frames.size(), frames) << c.name;
    EXPECT_EQ(repaired.state, seen.state) << c.name;
    EXPECT_EQ(repaired.why, seen.why) << c.name;
    EXPECT_EQ(!repaired.cut_copy.empty(), c.torn) << c.name;
    EXPECT_EQ(content() == before, !c.torn) << c.name;
    if (c.torn) {
      EXPECT_EQ(seen.torn->offset, old.two.offset);
      EXPECT_EQ(seen.torn->used_end, old.two.offset + kBlockBytes);
      EXPECT_FALSE(recover(RecoveryMode::examine).torn.has_value());
    }
  }
  begin();
  std::filesystem::remove_all(directory_);
  EXPECT_EQ(recover(RecoveryMode::examine).state, RecoveryState::none);
  EXPECT_FALSE(std::filesystem::exists(directory_));
}

TEST_F(LogRecovery, WhileASegmentIsScannedTheNextOneIsRead) {
  struct Watcher final : FrameVisitor {
    void on_segment(const SegmentHeader& header) override { segment = header.number; }
    void on_frame(const wire::FrameHeader&, std::span<const std::byte>) override {
      next_bytes_read[segment] = files->bytes_read[next];
    }
    MemoryFiles* files = nullptr;
    std::string next;
    std::uint64_t segment = 0;
    std::map<std::uint64_t, std::uint64_t> next_bytes_read;  ///< by the segment scanned
  } watcher;
  const Old old;
  begin();
  put(old.one);
  put(old.two);
  MemoryFiles files;
  for (const auto& [path, text] : content()) {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    files.content[path] = {bytes, bytes + text.size()};
  }
  watcher.files = &files;
  watcher.next = segment_path(directory_, 2);
  BlockingFiles blocking(files, [&] { files.turn(); });
  MetadataFile metadata(files, directory_);
  const auto found = Recovery(blocking, metadata, directory_, kIdentity.stream, watcher,
                              RecoveryMode::examine)
                         .run();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state, RecoveryState::whole);
  // Its header was read before, and it is not read again when its turn has come.
  const std::uint64_t whole = files.content[watcher.next].size();
  EXPECT_EQ(watcher.next_bytes_read[1], kBlockBytes + whole);
  EXPECT_EQ(watcher.next_bytes_read[2], kBlockBytes + whole);
}

}  // namespace
}  // namespace quorate::log
