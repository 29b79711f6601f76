#include "tools/load/fault_plan.h"

#include <gtest/gtest.h>

#include <string>

namespace quorate::tools {
namespace {

TEST(FaultPlan, ReadsNameAndTime) {
  const auto fault = parse_fault(Fault::Kind::stop, "c@1.5");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, Fault::Kind::stop);
  EXPECT_EQ(fault->name, "c");
  EXPECT_EQ(fault->at_s, 1.5);
}

TEST(FaultPlan, ReadsNameAndWhatIsAppended) {
  const auto fault = parse_fault(Fault::Kind::restart, "c@64MiB");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, Fault::Kind::restart);
  EXPECT_EQ(fault->name, "c");
  EXPECT_EQ(fault->at_bytes, 64u << 20);
}

TEST(FaultPlan, RefusesWithFoundAndAllowed) {
  for (const char* text : {"", "c", "c@", "@1", "c@x", "c@-1", "c@1@2", "c@nan", "c@1e9", "c@MiB",
                           "c@0MiB", "c@1.5MiB", "c@-1MiB", "c@1000001MiB", "c@1GiB", "@1MiB"}) {
    const auto fault = parse_fault(Fault::Kind::kill, text);
    ASSERT_FALSE(fault) << text;
    EXPECT_EQ(fault.error().text, "found \"" + std::string(text) +
                                      "\", allowed NAME@SECONDS with SECONDS 0…1000000, or "
                                      "NAME@NMiB with N 1…1000000");
  }
}

/// The names and kinds of what is due, in order.
std::string due(FaultPlan& plan, double elapsed_s, std::uint64_t appended) {
  std::string all;
  while (const auto fault = plan.due(elapsed_s, appended)) {
    all += std::string(to_string(fault->kind)) + " " + fault->name + ";";
  }
  return all;
}

TEST(FaultPlan, GivesFaultsInTheOrderOfTheirTimes) {
  FaultPlan plan({{Fault::Kind::restart, "c", 3, 0}, {Fault::Kind::kill, "c", 1, 0}});
  EXPECT_FALSE(plan.counts_bytes());
  EXPECT_EQ(due(plan, 0.9, 0), "");
  EXPECT_NEAR(plan.wait_s(0.9), 0.1, 1e-9);
  EXPECT_EQ(due(plan, 5, 0), "kill c;restart c;");
  EXPECT_EQ(due(plan, 5, 0), "");
  EXPECT_GT(plan.wait_s(5), 1e6);
}

TEST(FaultPlan, CountsWhatIsAppendedFromTheFirstWrite) {
  FaultPlan plan({{Fault::Kind::restart, "c", 0, 200}, {Fault::Kind::kill, "c", 0, 100}});
  EXPECT_TRUE(plan.counts_bytes());
  EXPECT_EQ(due(plan, 1e5, 99), "");
  EXPECT_EQ(due(plan, 0, 100), "kill c;");
  EXPECT_EQ(due(plan, 0, 1000), "restart c;");
  EXPECT_FALSE(plan.counts_bytes());
}

TEST(FaultPlan, CountsWhatIsAppendedFromTheLastFaultOfThatReplicaThatHasATime) {
  FaultPlan plan({{Fault::Kind::kill, "c", 2, 0},
                  {Fault::Kind::restart, "c", 0, 100},
                  {Fault::Kind::restart, "b", 0, 500}});
  EXPECT_EQ(due(plan, 1, 400), "") << "it has not been killed";
  EXPECT_EQ(due(plan, 2, 450), "kill c;");
  EXPECT_EQ(due(plan, 9, 549), "restart b;");
  EXPECT_EQ(due(plan, 9, 550), "restart c;");
}

TEST(FaultPlan, KnowsWhatWasNotDueYet) {
  FaultPlan plan({{Fault::Kind::kill, "c", 2, 0}, {Fault::Kind::restart, "b", 0, 500}});
  ASSERT_TRUE(plan.left());
  EXPECT_EQ(plan.left()->name, "c");
  EXPECT_EQ(due(plan, 3, 499), "kill c;");
  ASSERT_TRUE(plan.left());
  EXPECT_EQ(plan.left()->name, "b");
  EXPECT_EQ(due(plan, 3, 500), "restart b;");
  EXPECT_FALSE(plan.left());
}

}  // namespace
}  // namespace quorate::tools
