#include "base/fifo.h"

#include <gtest/gtest.h>

namespace quorate::base {
namespace {

TEST(Fifo, GivesBackInOrderWhileItGoesRoundManyTimes) {
  Fifo<int> fifo(3);
  int next = 0;
  fifo.push() = next++;
  for (int expected = 0; expected < 20; ++expected) {
    fifo.push() = next++;
    fifo.push() = next++;
    EXPECT_TRUE(fifo.full());
    EXPECT_EQ(fifo.front(), expected);
    fifo.pop();
    ++expected;
    EXPECT_EQ(fifo.front(), expected);
    fifo.pop();
    EXPECT_EQ(fifo.size(), 1u);
  }
}

TEST(Fifo, BeginsWithTheSamePlaceAgainWhenItIsEmpty) {
  Fifo<int> fifo(3);
  const int* first = &fifo.push();
  fifo.push();
  fifo.pop();
  fifo.pop();
  EXPECT_TRUE(fifo.empty());
  EXPECT_EQ(&fifo.push(), first);
  fifo.clear();
  EXPECT_EQ(&fifo.push(), first);
}

TEST(Fifo, MoreThanItHasRoomForIsABug) {
  Fifo<int> fifo(1);
  fifo.push() = 7;
  EXPECT_DEATH(fifo.push(), "CHECK failed");
}

}  // namespace
}  // namespace quorate::base
