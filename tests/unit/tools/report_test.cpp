#include "tools/load/report.h"

#include <gtest/gtest.h>

namespace quorate::tools {
namespace {

LoadReport report_of(std::initializer_list<Verdict> verdicts) {
  LoadReport report;
  report.mode = "sync";
  report.seconds = 2;
  report.appended = 1000;
  report.payload_bytes = 2 << 20;
  char name = 'b';
  for (const Verdict verdict : verdicts) {
    report.replicas.push_back({std::string(1, name++), {}, 0, 0, verdict});
  }
  return report;
}

bool good(LoadReport report, bool verify = true) {
  LoadPlan plan;
  plan.options.verify = verify;
  judge(report, plan);
  return report.errors.empty();
}

TEST(LoadReport, IsGoodWithOneEqualReplicaAndNoneDifferent) {
  EXPECT_TRUE(good(report_of({Verdict::equal, Verdict::equal})));
  EXPECT_TRUE(good(report_of({Verdict::equal, Verdict::needs_full_copy})));
  EXPECT_TRUE(good(report_of({Verdict::gone, Verdict::equal})));
  EXPECT_TRUE(good(report_of({Verdict::told})));
  EXPECT_FALSE(good(report_of({Verdict::equal, Verdict::different})));
  EXPECT_FALSE(good(report_of({Verdict::equal, Verdict::late})));
  EXPECT_FALSE(good(report_of({Verdict::gone, Verdict::needs_full_copy})));
  EXPECT_FALSE(good(report_of({Verdict::unchecked, Verdict::unchecked})));
  EXPECT_FALSE(good(report_of({})));
  EXPECT_TRUE(good(report_of({Verdict::unchecked}), false));
}

TEST(LoadReport, CountsWhatIsPending) {
  LoadReport report = report_of({});
  report.pending = 250;
  LoadPlan plan;
  judge(report, plan);
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors[0], "250 writes are still pending: 750 released of 1000 appended");
  EXPECT_EQ(report.released_per_s(), 375);
  EXPECT_EQ(report.mib_per_s(), 0.75);
}

TEST(LoadReport, SaysWhoWasVerified) {
  EXPECT_EQ(verdict_line(report_of({Verdict::equal, Verdict::needs_full_copy})),
            "verified 1 of 2 replicas; c: needs_full_copy");
  EXPECT_EQ(verdict_line(report_of({Verdict::equal, Verdict::equal})), "verified 2 of 2 replicas");
}

TEST(LoadReport, WritesOneJsonObject) {
  LoadReport report = report_of({Verdict::equal});
  report.errors.emplace_back("a \"quoted\"\nline");
  report.latencies_ns.record(1500);
  const std::string json = report_json(report, LoadPlan());
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_NE(json.find("\"released_per_s\":500,"), std::string::npos) << json;
  EXPECT_NE(json.find("\"p50\":1.5,"), std::string::npos) << json;
  EXPECT_NE(json.find("{\"name\":\"b\",\"state\":\"absent\""), std::string::npos) << json;
  EXPECT_NE(json.find("a \\\"quoted\\\"\\u000aline"), std::string::npos) << json;
}

TEST(LoadReport, NamesTheLevelAndWhetherLogsWereOn) {
  LoadPlan plan;
  const auto texts = [&plan] {
    Table table = report_table();
    add_row(table, report_of({}), plan);
    return std::pair(table.text() + heading(plan, "epoll"), report_json(report_of({}), plan));
  };
  const auto [table, json] = texts();
  EXPECT_NE(table.find("sync  received  off"), std::string::npos) << table;
  EXPECT_NE(table.find("no logs"), std::string::npos) << table;
  EXPECT_NE(json.find("\"level\":\"received\",\"log\":false,"), std::string::npos) << json;
  plan.keeps_logs = true;
  plan.options.level = Level::durable;
  plan.options.storage.buffered = true;
  const auto [logged_table, logged_json] = texts();
  EXPECT_NE(logged_table.find("sync  durable  on"), std::string::npos) << logged_table;
  EXPECT_NE(logged_table.find("logs in files of 64 MiB through the page cache"), std::string::npos)
      << logged_table;
  EXPECT_NE(logged_json.find("\"level\":\"durable\",\"log\":true,\"segment_mib\":64,"
                             "\"buffered\":true"),
            std::string::npos)
      << logged_json;
}

}  // namespace
}  // namespace quorate::tools
