#include "base/sleeper.h"

#include <gtest/gtest.h>

namespace quorate::base {
namespace {

TEST(Sleeper, NobodyWakesALoopThatIsAwake) {
  Sleeper sleeper;
  EXPECT_FALSE(sleeper.should_wake());
}

TEST(Sleeper, OneProducerWakesPerSleep) {
  Sleeper sleeper;
  sleeper.prepare();
  EXPECT_TRUE(sleeper.should_wake());
  EXPECT_FALSE(sleeper.should_wake());
  sleeper.prepare();
  EXPECT_TRUE(sleeper.should_wake());
}

TEST(Sleeper, CancelledSleepNeedsNoWakeUp) {
  Sleeper sleeper;
  sleeper.prepare();
  sleeper.cancel();
  EXPECT_FALSE(sleeper.should_wake());
}

}  // namespace
}  // namespace quorate::base
