// The model accepts histories in which no rule is broken. What it rejects: model_rejects_*_test.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "tests/simulation/model/right_history.h"

namespace quorate::simulation {
namespace {

TEST(Model, AnEmptyHistoryIsFine) { EXPECT_EQ(judge({}), ""); }

TEST(Model, HistoriesThatBreakNoRuleAreAccepted) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    ASSERT_EQ(judge(right_history(seed)), "") << "seed " << seed;
  }
}

TEST(Model, ALongHistoryIsAccepted) { EXPECT_EQ(judge(right_history(7, 100'000)), ""); }

TEST(Model, TheHistoriesContainEveryKindOfEvent) {
  std::array<std::size_t, static_cast<std::size_t>(EventKind::quiet) + 1> seen{};
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    for (const HistoryEvent& event : right_history(seed).events) {
      ++seen[static_cast<std::size_t>(event.kind)];
    }
  }
  for (std::size_t kind = 0; kind < seen.size(); ++kind) EXPECT_GT(seen[kind], 20u) << kind;
}

TEST(Model, TheProgramNeedNotTellTheEpochItApplies) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    History history = right_history(seed);
    for (HistoryEvent& event : history.events) {
      if (event.kind == EventKind::applied) event.epoch = {};
    }
    ASSERT_EQ(judge(history), "") << "seed " << seed;
  }
}

TEST(Model, RecordsAndWaitersAreCounted) {
  const History history = right_history(3);
  Model model(history.config);
  for (const HistoryEvent& event : history.events) model.on(event);
  const auto count = [&](EventKind kind) {
    return static_cast<std::uint64_t>(
        std::count_if(history.events.begin(), history.events.end(),
                      [&](const HistoryEvent& event) { return event.kind == kind; }));
  };
  EXPECT_EQ(model.records_published(), count(EventKind::published));
  EXPECT_EQ(model.records_applied(), count(EventKind::applied));
  EXPECT_EQ(model.waiters_open(), 0u);
}

}  // namespace
}  // namespace quorate::simulation
