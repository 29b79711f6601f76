// The log on a disk that does what disks do.

#include <gtest/gtest.h>

#include "tests/simulation/crash/crash_images.h"
#include "tests/simulation/crash/stream_images.h"

namespace quorate::simulation {
namespace {

void expect_no_violation(const CrashTotals& totals) {
  for (const std::string& violation : totals.violations) ADD_FAILURE() << violation;
}

TEST(LogCrash, ImagesOfEveryFaultKeepWhatWasReportedDurable) {
  const CrashTotals totals = run_crash_images(1, 2400);
  expect_no_violation(totals);
  for (const std::uint64_t images : totals.by_fault) EXPECT_GE(images, 200u);
  EXPECT_GT(totals.cuts, 0u) << "nothing was ever torn";
  EXPECT_GT(totals.faults, 0u) << "nothing was ever damaged";
  EXPECT_GT(totals.torn_writes, 0u);
  EXPECT_GT(totals.truncations, 1000u);
  EXPECT_GT(totals.restarts, 1000u);
  EXPECT_GT(totals.undone, 0u) << "no crash ever met a cut";
  EXPECT_GT(totals.reused, 1000u);
}

TEST(LogCrash, PowerThatFailsAtAnyEventLosesNeitherWhatWasKeptNorASnapshot) {
  const StreamTotals totals = run_every_stream_image();
  for (const std::string& violation : totals.violations) ADD_FAILURE() << violation;
  EXPECT_GT(totals.given_up, totals.images) << "segments were given up";
  EXPECT_GT(totals.installed, totals.images / 2);
  EXPECT_GT(totals.undone, 0u) << "no crash ever met a beginning";
}

TEST(LogCrash, AnImageIsAFunctionOfItsSeed) {
  const CrashTotals first = run_crash_images(77, 96), second = run_crash_images(77, 96);
  EXPECT_EQ(first.reported_bytes, second.reported_bytes);
  EXPECT_EQ(first.recovered_bytes, second.recovered_bytes);
  EXPECT_EQ(first.cuts, second.cuts);
}

log::LogOptions small_options(bool direct) {
  log::LogOptions options;
  options.limits.segment_bytes = 64u << 10;
  options.limits.unit_bytes_max = 16u << 10;
  options.limits.units_in_flight = 4;
  options.direct = direct;
  return options;
}

TEST(LogCrash, LivesWithoutFaultsLoseNothing) {
  for (const bool direct : {true, false}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      LogHost host(seed, small_options(direct));
      LogLife life;
      life.frames = 100;
      life.closes = seed % 2 == 0;
      for (int i = 0; i < 3; ++i) host.live(life);
      host.look();
      EXPECT_EQ(host.violation(), "");
      EXPECT_EQ(host.faults + host.cuts + host.refusals, 0u) << host.last_error;
    }
  }
}

TEST(LogCrash, WhatWasCutStaysAwayAndNoUsedSegmentIsAFault) {
  std::uint64_t reused = 0, cuts = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    LogHost host(seed, small_options(seed % 2 == 0));
    LogLife life;
    life.frames = 60;
    life.reuses = true;
    for (int i = 0; i < 6; ++i) {
      life.cuts = i > 1 && (seed + static_cast<std::uint64_t>(i)) % 3 != 0;
      life.closes = (seed + static_cast<std::uint64_t>(i)) % 4 == 0;
      life.power = i % 2 == 0;
      // In the middle of anything, except of the last life.
      life.dies_at = i < 5 && i > 0 ? 40 + seed * 7 % 400 : ~std::uint64_t{0};
      host.live(life);
    }
    host.look();
    EXPECT_EQ(host.violation(), "") << seed;
    EXPECT_EQ(host.faults, 0u) << seed << ' ' << host.last_error;
    reused += host.reused;
    cuts += host.truncations;
  }
  EXPECT_GT(reused, 1000u);
  EXPECT_GT(cuts, 300u);
}

TEST(LogCrash, AFullDiskTakesNothingAndPassesByItself) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LogHost host(seed, small_options(seed % 2 == 0));
    constexpr std::uint64_t kRoom = 128u << 10;
    host.disk().law.capacity_bytes = kRoom + 3 * (64u << 10);
    std::uint64_t refused = 0;
    host.meanwhile = [&](log::LogWriter& writer) {
      if (writer.state() != log::LogWriter::State::no_space) return;
      const Position before = writer.end();
      const log::LogFrame frame = log::make_frame({before, 0, {}, 0}, {99, 9}, 64);
      EXPECT_EQ(writer.append(frame.header, frame.pieces()), log::Admission::busy);
      EXPECT_EQ(writer.end(), before) << "nothing was taken";
      if (++refused == 5) host.disk().law.capacity_bytes = 0;
      writer.try_again();
    };
    LogLife life;
    life.frames = 300;
    host.live(life);
    host.look();
    EXPECT_EQ(host.violation(), "") << seed;
    EXPECT_GE(refused, 5u);
    EXPECT_GE(host.space_events, 2u) << "told when it was full and when it was not";
    EXPECT_EQ(host.faults, 0u);
  }
}

TEST(LogCrash, AnErrorNamesFileOperationAndCause) {
  LogHost host(3, small_options(true));
  LogLife life;
  life.frames = 200;
  host.live(life);
  life.fault = CrashFault::error_for_ever;
  life.fault_at = 150;
  host.live(life);
  EXPECT_NE(host.last_error.find("/log/"), std::string::npos) << host.last_error;
  EXPECT_NE(host.last_error.find("Input/output error"), std::string::npos);
  EXPECT_EQ(host.violation(), "");
}

}  // namespace
}  // namespace quorate::simulation
