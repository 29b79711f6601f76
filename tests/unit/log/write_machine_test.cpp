// When units are written, and what counts as durable.

#include "log/write_machine.h"

#include <gtest/gtest.h>

namespace quorate::log {
namespace {

LogLimits limits() {
  LogLimits limits;
  limits.segment_bytes = 64u << 10;
  limits.unit_bytes_max = 8u << 10;
  limits.units_in_flight = 3;
  limits.eager_units = 1;
  return limits;
}

class LogMachine : public testing::Test {
 protected:
  void use(bool syncs) {
    machine = std::make_unique<WriteMachine>(limits(), syncs);
    machine->begin_segment(kBlockBytes, 0);
  }
  Admission append(std::uint32_t bytes) {
    const Admission admission = machine->admit(bytes);
    if (admission != Admission::taken) return admission;
    machine->place();
    machine->add(bytes, position += bytes);
    return admission;
  }
  /// Appends a frame and writes its unit.
  Unit* write(std::uint32_t bytes) {
    EXPECT_EQ(append(bytes), Admission::taken);
    machine->hurry();
    return machine->next_write();
  }
  void finish(Unit* unit) { EXPECT_TRUE(machine->on_written(unit->number, unit->unit_bytes())); }

  std::unique_ptr<WriteMachine> machine;
  Position position = 0;
};

TEST_F(LogMachine, ALoneFrameLeavesAtOnce) {
  use(false);
  EXPECT_EQ(append(800), Admission::taken);
  Unit* unit = machine->next_write();
  ASSERT_NE(unit, nullptr);
  EXPECT_EQ(unit->offset, kBlockBytes);
  EXPECT_EQ(unit->unit_bytes(), kBlockBytes);
  EXPECT_EQ(machine->durable(), 0u);
  finish(unit);
  EXPECT_EQ(machine->durable(), 800u);
  EXPECT_TRUE(machine->drained());
}

TEST_F(LogMachine, WhileOneIsWrittenTheNextGrows) {
  use(false);
  Unit* first = write(800);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(append(800), Admission::taken);
  EXPECT_EQ(machine->next_write(), nullptr);
  finish(first);
  Unit* second = machine->next_write();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->frames, 5u);
  EXPECT_EQ(second->durable_before, 800u);
}

TEST_F(LogMachine, AFullUnitLeavesWhateverIsInFlight) {
  use(false);
  write(800);
  EXPECT_EQ(append(8000), Admission::taken);
  EXPECT_EQ(append(800), Admission::busy) << "it does not fit";
  EXPECT_NE(machine->next_write(), nullptr);
  EXPECT_EQ(append(800), Admission::taken);
}

TEST_F(LogMachine, NoMoreThanTheWindowIsInFlight) {
  use(false);
  Unit* first = write(800);
  write(800);
  Unit* third = write(800);
  EXPECT_EQ(write(800), nullptr);
  EXPECT_EQ(append(8000), Admission::busy);
  finish(third);
  EXPECT_EQ(machine->next_write(), nullptr) << "the first still keeps the window";
  finish(first);
  EXPECT_NE(machine->next_write(), nullptr);
}

TEST_F(LogMachine, DurableIsWhatIsWrittenInARow) {
  use(false);
  Unit* first = write(800);
  Unit* second = write(800);
  finish(second);
  EXPECT_EQ(machine->durable(), 0u);
  finish(first);
  EXPECT_EQ(machine->durable(), 1600u);
  EXPECT_EQ(machine->marked(), 0u);
  finish(write(800));
  EXPECT_EQ(machine->marked(), 1600u);
}

TEST_F(LogMachine, AShortWriteIsContinued) {
  use(false);
  Unit* unit = write(8000);
  EXPECT_FALSE(machine->on_written(unit->number, 4096));
  EXPECT_EQ(machine->durable(), 0u);
  EXPECT_TRUE(machine->on_written(unit->number, 4096));
  EXPECT_EQ(machine->durable(), 8000u);
}

TEST_F(LogMachine, ASyncCoversWhatWasWrittenBeforeItBegan) {
  use(true);
  Unit* first = write(800);
  Unit* second = write(800);
  EXPECT_FALSE(machine->begin_sync()) << "nothing is written";
  finish(first);
  EXPECT_TRUE(machine->begin_sync());
  finish(second);
  EXPECT_FALSE(machine->begin_sync()) << "one at a time";
  machine->on_synced();
  EXPECT_EQ(machine->durable(), 800u);
  EXPECT_TRUE(machine->begin_sync());
  machine->on_synced();
  EXPECT_EQ(machine->durable(), 1600u);
}

TEST_F(LogMachine, RefusesWhatDoesNotFit) {
  use(false);
  EXPECT_EQ(append(8192), Admission::too_large);
  for (int i = 0; i < 7; ++i) finish(write(8000));
  EXPECT_EQ(append(8000), Admission::segment_full);
  EXPECT_EQ(append(800), Admission::taken) << "there is room for a small one";
}

}  // namespace
}  // namespace quorate::log
