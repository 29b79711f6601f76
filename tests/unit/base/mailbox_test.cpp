#include "base/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace quorate::base {
namespace {

TEST(Mailbox, GivesBackInOrder) {
  Mailbox<int> mailbox(4);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(mailbox.push(int{i}));
  int value = 0;
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(mailbox.pop(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(mailbox.pop(value));
}

TEST(Mailbox, KnowsWhetherItIsEmpty) {
  Mailbox<int> mailbox(2);
  int value = 0;
  EXPECT_TRUE(mailbox.empty());
  mailbox.push(1);
  EXPECT_FALSE(mailbox.empty());
  mailbox.pop(value);
  EXPECT_TRUE(mailbox.empty());
}

TEST(Mailbox, FullBoxLeavesTheValueUntouched) {
  Mailbox<std::unique_ptr<int>> mailbox(2);
  EXPECT_TRUE(mailbox.push(std::make_unique<int>(1)));
  EXPECT_TRUE(mailbox.push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(mailbox.push(std::move(third)));
  ASSERT_NE(third, nullptr);
  std::unique_ptr<int> value;
  ASSERT_TRUE(mailbox.pop(value));
  EXPECT_EQ(*value, 1);
  EXPECT_TRUE(mailbox.push(std::move(third)));
}

TEST(Mailbox, GoesRoundManyTimes) {
  Mailbox<int> mailbox(2);
  int value = 0;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(mailbox.push(int{i}));
    ASSERT_TRUE(mailbox.push(int{-i}));
    ASSERT_FALSE(mailbox.push(0));
    ASSERT_TRUE(mailbox.pop(value));
    ASSERT_EQ(value, i);
    ASSERT_TRUE(mailbox.pop(value));
    ASSERT_EQ(value, -i);
  }
}

TEST(Mailbox, TakenValueIsNotKeptAlive) {
  Mailbox<std::shared_ptr<int>> mailbox(4);
  const auto shared = std::make_shared<int>(5);
  mailbox.push(std::shared_ptr<int>(shared));
  std::shared_ptr<int> value;
  mailbox.pop(value);
  EXPECT_EQ(shared.use_count(), 2);
}

TEST(MailboxDeathTest, CapacityMustBeAPowerOfTwoAndAtLeastTwo) {
  EXPECT_DEATH(Mailbox<int>(1), "CHECK failed");
  EXPECT_DEATH(Mailbox<int>(3), "CHECK failed");
}

}  // namespace
}  // namespace quorate::base
