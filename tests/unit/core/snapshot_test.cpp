// What a replica decides about a snapshot, and what it changes for the stream's machine.

#include "core/snapshot_machine.h"

#include <gtest/gtest.h>

#include "core/replica_machine.h"

namespace quorate::core {
namespace {

using Step = SnapshotMachine::Step;
constexpr Epoch kEpoch{5, 77};

SnapshotHead some_head() { return {3, 9, 1000, kEpoch, 11, 1040, 250, 0xCC, true}; }

/// A machine that was offered some_head(), and whose disk is ready.
SnapshotMachine receiving() {
  SnapshotMachine machine(3);
  EXPECT_TRUE(machine.on_begin(some_head(), 1000, 200));
  machine.on_prepared();
  return machine;
}

TEST(SnapshotMachine, AsksForAllOfWhatTheDiskDoesNotHave) {
  SnapshotMachine machine(3);
  ASSERT_TRUE(machine.on_begin(some_head(), 1000, 200));
  EXPECT_EQ(machine.step(), Step::prepare);
  machine.on_prepared();
  EXPECT_EQ(machine.step(), Step::receive);
  EXPECT_EQ(machine.request().stream, 3u);
  EXPECT_EQ(machine.request().id, 9u);
  EXPECT_EQ(machine.request().offset, 0u);
}

TEST(SnapshotMachine, RefusesWhatTheVerdictDidNotPromise) {
  const auto refused = [](SnapshotHead head, Position expected, Position held) {
    SnapshotMachine machine(3);
    return !machine.on_begin(head, expected, held) && machine.step() == Step::idle;
  };
  SnapshotHead head = some_head();
  EXPECT_TRUE(refused(head, 1001, 200)) << "another position";
  EXPECT_TRUE(refused(head, 1000, 1000)) << "nothing new in it";
  head.stream = 4;
  EXPECT_TRUE(refused(head, 1000, 200)) << "another stream";
  head = some_head();
  head.id = 0;
  EXPECT_TRUE(refused(head, 1000, 200)) << "no id";
  head = some_head();
  head.program = 999;
  EXPECT_TRUE(refused(head, 1000, 200)) << "the program behind its log";
  head = some_head();
  head.epoch = {};
  EXPECT_TRUE(refused(head, 1000, 200)) << "a frame of no epoch";
  head = some_head();
  head.has_file = false;
  EXPECT_TRUE(refused(head, 1000, 200)) << "bytes of no file";
}

TEST(SnapshotMachine, RefusesASecondOfferWhileTheFirstIsReceived) {
  SnapshotMachine machine = receiving();
  EXPECT_FALSE(machine.on_begin(some_head(), 1000, 200));
  EXPECT_EQ(machine.step(), Step::receive);
}

TEST(SnapshotMachine, TakesPiecesInOrderUpToTheWhole) {
  SnapshotMachine machine = receiving();
  EXPECT_FALSE(machine.on_chunk(9, 100, 100)) << "a gap";
  EXPECT_FALSE(machine.on_chunk(8, 0, 100)) << "another offer's";
  EXPECT_FALSE(machine.on_chunk(9, 0, 0)) << "nothing";
  EXPECT_FALSE(machine.on_chunk(9, 0, 251)) << "more than the whole";
  EXPECT_TRUE(machine.on_chunk(9, 0, 100));
  EXPECT_FALSE(machine.on_chunk(9, 0, 100)) << "again";
  EXPECT_FALSE(machine.on_chunk(9, 100, ~std::uint64_t{0} - 50)) << "an end that wraps";
  EXPECT_TRUE(machine.on_chunk(9, 100, 150));
  EXPECT_EQ(machine.step(), Step::receive) << "until it is written";
  machine.on_written(250);
  EXPECT_EQ(machine.step(), Step::check);
}

TEST(SnapshotMachine, IsDoneWhenTheChecksumIsRight) {
  SnapshotMachine machine = receiving();
  ASSERT_TRUE(machine.on_chunk(9, 0, 250));
  machine.on_written(250);
  EXPECT_TRUE(machine.on_checked(0xCC));
  EXPECT_EQ(machine.step(), Step::done);
  EXPECT_TRUE(machine.held()->whole);
}

TEST(SnapshotMachine, BeginsAnewAfterAWrongChecksum) {
  SnapshotMachine machine = receiving();
  ASSERT_TRUE(machine.on_chunk(9, 0, 250));
  machine.on_written(250);
  EXPECT_FALSE(machine.on_checked(0xCD));
  EXPECT_FALSE(machine.held().has_value());
  ASSERT_TRUE(machine.on_begin(some_head(), 1000, 200));
  EXPECT_EQ(machine.step(), Step::prepare);
}

TEST(SnapshotMachine, GoesOnWhereTheDiskEnds) {
  SnapshotMachine machine = receiving();
  ASSERT_TRUE(machine.on_chunk(9, 0, 100));
  ASSERT_TRUE(machine.on_chunk(9, 100, 100));
  machine.on_written(100);
  machine.on_ended();
  ASSERT_TRUE(machine.on_begin(some_head(), 1000, 200));
  EXPECT_EQ(machine.step(), Step::receive);
  EXPECT_EQ(machine.request().offset, 100u);
}

TEST(SnapshotMachine, ForgetsAPartOfAnotherOffer) {
  SnapshotMachine machine(3);
  machine.on_found({some_head(), 100, false});
  SnapshotHead other = some_head();
  other.id = 10;
  ASSERT_TRUE(machine.on_begin(other, 1000, 200));
  EXPECT_EQ(machine.step(), Step::prepare);
  EXPECT_FALSE(machine.held().has_value());
}

TEST(SnapshotMachine, WhatWasWholeBeforeAnEndIsDoneAtOnce) {
  SnapshotMachine machine(3);
  machine.on_found({some_head(), 250, true});
  ASSERT_TRUE(machine.on_begin(some_head(), 1000, 200));
  EXPECT_EQ(machine.step(), Step::done);
}

TEST(SnapshotMachine, APartThatIsAllThereIsCheckedOnly) {
  SnapshotMachine machine(3);
  machine.on_found({some_head(), 250, false});
  ASSERT_TRUE(machine.on_begin(some_head(), 1000, 200));
  EXPECT_EQ(machine.step(), Step::check);
}

TEST(SnapshotMachine, AFileWithoutBytesIsCheckedAndNoFileIsDone) {
  SnapshotHead empty = some_head();
  empty.bytes = empty.crc = 0;
  SnapshotMachine machine(3);
  ASSERT_TRUE(machine.on_begin(empty, 1000, 200));
  machine.on_prepared();
  EXPECT_EQ(machine.step(), Step::check);
  EXPECT_TRUE(machine.on_checked(0));
  empty.has_file = false;
  SnapshotMachine other(3);
  ASSERT_TRUE(other.on_begin(empty, 1000, 200));
  other.on_prepared();
  EXPECT_EQ(other.step(), Step::done);
}

ReplicaMachine claiming(bool takes_snapshots) {
  ReplicaStreamConfig config{3, 42, 1000};
  config.durable = true;
  config.start = config.committed = 200;
  config.last_epoch = {2, 5};
  config.takes_snapshots = takes_snapshots;
  ReplicaMachine machine(config);
  machine.on_session(kEpoch);
  return machine;
}

TEST(ReplicaSnapshot, IsTakenOnlyByWhoTakesThemAndOnlyIfItReachesFurther) {
  ReplicaMachine takes_none = claiming(false);
  EXPECT_FALSE(takes_none.on_verdict({3, Verdict::snapshot, 1000}));
  ReplicaMachine machine = claiming(true);
  EXPECT_FALSE(machine.on_verdict({3, Verdict::snapshot, 200}));
  EXPECT_TRUE(machine.on_verdict({3, Verdict::snapshot, 1000}));
  EXPECT_EQ(machine.state(), ReplicaMachine::State::catching_up);
  EXPECT_FALSE(machine.on_verdict({3, Verdict::snapshot, 1000})) << "not of this claim";
}

TEST(ReplicaSnapshot, ALogThatBeginsAnewIsClaimedFromThereAndTakesWhatFollows) {
  ReplicaMachine machine = claiming(true);
  ASSERT_TRUE(machine.on_verdict({3, Verdict::snapshot, 1000}));
  machine.on_claiming_again();
  machine.on_begun_anew(1000, kEpoch, 11);
  const ResumeClaim claim = machine.claim();
  EXPECT_EQ(claim.position, 1000u);
  EXPECT_EQ(claim.epoch, kEpoch);
  EXPECT_EQ(claim.checksum, 11u);
  EXPECT_EQ(claim.credit_limit, 2000u) << "the log makes room, whatever the program does";
  ASSERT_TRUE(machine.on_verdict({3, Verdict::resumed, 1000}));
  FrameInfo frame;
  frame.stream = 3;
  frame.epoch = kEpoch;
  frame.begin = 1000;
  frame.end = 1100;
  frame.previous_epoch = kEpoch;
  frame.previous_checksum = 11;
  EXPECT_EQ(machine.check_frame(frame), FrameVerdict::accept);
  machine.on_frame(frame);
  EXPECT_EQ(machine.acknowledgement().applied, 0u) << "not before the program has installed it";
  machine.on_installed(1040);
  EXPECT_EQ(machine.acknowledgement().applied, 1040u);
  EXPECT_EQ(machine.read(), 1040u);
}

TEST(ReplicaSnapshot, WhatItStandsForIsNeverCutAgain) {
  ReplicaMachine machine = claiming(true);
  ASSERT_TRUE(machine.on_verdict({3, Verdict::snapshot, 1000}));
  machine.on_claiming_again();
  machine.on_begun_anew(1000, kEpoch, 11);
  EXPECT_EQ(machine.committed(), 1000u);
  EXPECT_TRUE(machine.on_verdict({3, Verdict::truncate, 900}));
  EXPECT_EQ(machine.state(), ReplicaMachine::State::needs_full_copy);
}

}  // namespace
}  // namespace quorate::core
