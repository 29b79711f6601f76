#include "tools/load/fault_plan.h"

#include <gtest/gtest.h>

namespace quorate::tools {
namespace {

TEST(FaultPlan, ReadsNameAndTime) {
  const auto fault = parse_fault(Fault::Kind::stop, "c@1.5");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, Fault::Kind::stop);
  EXPECT_EQ(fault->name, "c");
  EXPECT_EQ(fault->at_s, 1.5);
}

TEST(FaultPlan, RefusesWithFoundAndAllowed) {
  for (const char* text : {"", "c", "c@", "@1", "c@x", "c@-1", "c@1@2", "c@nan", "c@1e9"}) {
    const auto fault = parse_fault(Fault::Kind::kill, text);
    ASSERT_FALSE(fault) << text;
    EXPECT_EQ(fault.error().text,
              "found \"" + std::string(text) + "\", allowed NAME@SECONDS with SECONDS 0…1000000");
  }
}

TEST(FaultPlan, GivesFaultsInTheOrderOfTheirTimes) {
  FaultPlan plan({{Fault::Kind::restart, "c", 3}, {Fault::Kind::kill, "c", 1}});
  EXPECT_EQ(plan.due(0.9), nullptr);
  EXPECT_NEAR(plan.wait_s(0.9), 0.1, 1e-9);
  const Fault* fault = plan.due(5);
  ASSERT_NE(fault, nullptr);
  EXPECT_EQ(fault->kind, Fault::Kind::kill);
  fault = plan.due(5);
  ASSERT_NE(fault, nullptr);
  EXPECT_EQ(fault->kind, Fault::Kind::restart);
  EXPECT_EQ(plan.due(5), nullptr);
  EXPECT_GT(plan.wait_s(5), 1e6);
}

}  // namespace
}  // namespace quorate::tools
