#include "base/ready_list.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace quorate::base {
namespace {

std::vector<ReadyNode*> drain(ReadyList& list) {
  std::vector<ReadyNode*> taken;
  list.take_all([&](ReadyNode& node) {
    node.queued.store(false);
    taken.push_back(&node);
  });
  return taken;
}

TEST(ReadyList, HandsOverOldestFirst) {
  ReadyList list;
  std::array<ReadyNode, 3> nodes;
  for (ReadyNode& node : nodes) EXPECT_TRUE(list.push(node));
  EXPECT_FALSE(list.empty());
  EXPECT_EQ(drain(list), (std::vector<ReadyNode*>{&nodes[0], &nodes[1], &nodes[2]}));
  EXPECT_TRUE(list.empty());
}

TEST(ReadyList, HoldsANodeOnce) {
  ReadyList list;
  ReadyNode node;
  EXPECT_TRUE(list.push(node));
  EXPECT_FALSE(list.push(node));
  EXPECT_EQ(drain(list).size(), 1u);
  EXPECT_TRUE(list.push(node));
  EXPECT_EQ(drain(list).size(), 1u);
}

TEST(ReadyList, NodeMayBePushedAgainWhileItIsConsumed) {
  ReadyList list;
  ReadyNode first;
  ReadyNode second;
  list.push(first);
  list.push(second);
  int consumed = 0;
  list.take_all([&](ReadyNode& node) {
    node.queued.store(false);
    list.push(node);
    ++consumed;
  });
  EXPECT_EQ(consumed, 2);
  EXPECT_EQ(drain(list), (std::vector<ReadyNode*>{&first, &second}));
}

TEST(ReadyList, NodeThatIsNotReArmedIsNotQueuedAgain) {
  ReadyList list;
  ReadyNode node;
  list.push(node);
  list.take_all([](ReadyNode&) {});
  EXPECT_FALSE(list.push(node));
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace quorate::base
