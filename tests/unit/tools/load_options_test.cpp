#include "tools/load/options.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace quorate::tools {
namespace {

/// The plan of a command line.
struct Planned {
  explicit Planned(const std::string& line) {
    add_load_options(set, options);
    set.attach(app);
    app.parse(line, false);
    const Status problem = set.problem();
    plan = problem ? plan_load(options, set) : Result<LoadPlan>(problem.error());
  }
  [[nodiscard]] std::string error() const { return plan ? "" : plan.error().text; }

  LoadOptions options;
  OptionSet set;
  CLI::App app;
  Result<LoadPlan> plan = Error();
};

TEST(LoadOptions, NamesTheReplicasOfACluster) {
  const Planned planned("--cluster 3");
  ASSERT_EQ(planned.error(), "");
  EXPECT_EQ(planned.plan->names, (std::vector<std::string>{"b", "c"}));
  ASSERT_EQ(planned.plan->modes.size(), 1u);
  EXPECT_EQ(planned.plan->modes[0].second, sync());
}

TEST(LoadOptions, TakesSeveralModes) {
  const Planned planned("--cluster 3 --mode async --mode semi_sync:2 --mode any:1:b,c");
  ASSERT_EQ(planned.error(), "");
  ASSERT_EQ(planned.plan->modes.size(), 3u);
  EXPECT_EQ(planned.plan->modes[1].second, semi_sync(2));
  EXPECT_EQ(planned.plan->modes[2].second, any(1, {"b", "c"}));
}

TEST(LoadOptions, HoldsForAllReplicasUnlessToldToDrop) {
  const Planned hold("--cluster 3 --mode async");
  EXPECT_EQ(hold.plan->primary(async(), {}).rules, (std::vector<Rule>{async(), sync()}));
  const Planned drop("--cluster 3 --mode async --lag-policy drop");
  EXPECT_EQ(drop.plan->primary(async(), {}).rules, std::vector<Rule>{async()});
}

TEST(LoadOptions, FitsTheWindowToTheRing) {
  EXPECT_EQ(Planned("--cluster 2").plan->window, (4u << 20) / 72);
  EXPECT_EQ(Planned("--cluster 2 --record-size 0").plan->window, (4u << 20) / 8);
  EXPECT_EQ(Planned("--cluster 2 --record-size 0 --ring-kib 1048576").plan->window, kWindowMax);
  EXPECT_EQ(Planned("--cluster 2 --window 1").plan->window, 1u);
}

TEST(LoadOptions, MeasuresEachRecordWhereThatCostsNothing) {
  EXPECT_GT(Planned("--cluster 2").plan->sample_every, 1u);
  EXPECT_EQ(Planned("--cluster 2 --window 16").plan->sample_every, 1u);
  EXPECT_EQ(Planned("--cluster 2 --rate 50000").plan->sample_every, 1u);
  EXPECT_GT(Planned("--cluster 2 --rate 5000000").plan->sample_every, 1u);
}

TEST(LoadOptions, RefusesWithFieldFoundAndAllowed) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "--cluster: found nothing, allowed N to start nodes here, or --replicas A,B"},
      {"--cluster 0", "--cluster: found \"0\", allowed 1…65"},
      {"--cluster 3 --replicas b", "--replicas: allowed only without --cluster"},
      {"--replicas b,,c", "--replicas: found \"b,,c\", allowed names separated by commas"},
      {"--replicas b,b", "replicas: found \"b\" twice"},
      {"--replicas b --kill b@1", "allowed only with --cluster"},
      {"--cluster 3 --listen 127.0.0.1:1", "--listen: allowed only without --cluster"},
      {"--cluster 3 --kill d@1", "--kill: found replica \"d\", allowed b, c"},
      {"--cluster 3 --kill b", "--kill: found \"b\", allowed NAME@SECONDS"},
      {"--cluster 3 --mode semi", "--mode: found \"semi\", allowed async"},
      {"--cluster 3 --writers 0", "--writers: found \"0\", allowed 1…256"},
      {"--cluster 3 --streams 65537", "--streams: found \"65537\", allowed 1…65536"},
      {"--cluster 3 --window 1048577", "--window: found \"1048577\", allowed 0…1048576"},
      {"--cluster 3 --seconds 0", "--seconds: found \"0\", allowed 0.05…1000000"},
      {"--cluster 3 --rate=-1", "--rate: found \"-1\", allowed 0…1000000000"},
      {"--cluster 3 --rate nan", "--rate: found \"nan\", allowed"},
      {"--cluster 3 --backend x", "--backend: found \"x\", allowed auto, io_uring, epoll"},
      {"--cluster 3 --ring-kib 1000", "--ring-kib: found \"1000\", allowed a power of two"},
      {"--cluster 3 --level x", "--level: found \"x\", allowed received, durable, applied"},
      {"--cluster 3 --lag-policy x", "--lag-policy: found \"x\", allowed hold, drop"},
      {"--cluster 3 --record-size 1048569",
       "--record-size: found up to 1048569 bytes, allowed "
       "0…1048568 (a quarter of --ring-kib 4096"},
      {"--cluster 3 --trace-speed 2", "--trace-speed: allowed only with --trace"},
      {"--cluster 3 --trace x.csv --seconds 2", "--seconds: allowed only without --trace"},
      {"--cluster 3 --trace x.csv --record-size 2", "--record-size: allowed only without --trace"},
      {"--cluster 3 --trace x.csv --writers 2", "--writers: found 2, allowed with --trace as many"},
      {"--cluster 3 --trace /nowhere.csv", "--trace: cannot read /nowhere.csv: No such file"},
  };
  for (const auto& [line, expected] : cases) {
    const Planned planned(line);
    EXPECT_NE(planned.error().find(expected), std::string::npos) << line << "\n" << planned.error();
    EXPECT_EQ(planned.plan.error().code, Errc::invalid_option) << line;
    EXPECT_EQ(planned.error().find('\n'), std::string::npos);
  }
}

TEST(LoadOptions, RefusesRulesThatTheConfigurationCannotMeet) {
  EXPECT_FALSE(Planned("--cluster 3 --mode semi_sync:3").plan);
  EXPECT_FALSE(Planned("--cluster 3 --mode sync --mode any:1:x").plan);
  EXPECT_FALSE(Planned("--cluster 3 --mode async --level applied").plan);
  EXPECT_FALSE(Planned("--cluster 3 --mode semi_sync:3 --level durable").plan);
  EXPECT_FALSE(Planned("--cluster 3 --mode any:1:x --level durable").plan);
}

TEST(LoadOptions, KeepsLogsWhereTheLevelOrTheUserAsksForThem) {
  EXPECT_FALSE(Planned("--cluster 3").plan->keeps_logs);
  EXPECT_TRUE(Planned("--cluster 3 --log").plan->keeps_logs);
  const Planned durable("--cluster 3 --mode async --mode sync --level durable --streams 256");
  ASSERT_EQ(durable.error(), "");
  EXPECT_TRUE(durable.plan->keeps_logs);
  EXPECT_EQ(durable.plan->modes[1].second.level, Level::durable);
  const Planned own("--replicas b --directory log");
  ASSERT_EQ(own.error(), "");
  EXPECT_TRUE(own.plan->keeps_logs);
}

TEST(LoadOptions, GivesEachNodeOfAClusterALogOfItsOwn) {
  const Planned cluster("--cluster 3 --log --segment-mib 8 --buffered");
  ASSERT_EQ(cluster.error(), "");
  const PrimaryOptions primary = cluster.plan->primary(sync(), "logs/0");
  EXPECT_EQ(primary.directory, "logs/0/a");
  EXPECT_EQ(primary.storage.segment_bytes, 8u << 20);
  EXPECT_FALSE(primary.storage.direct);
  EXPECT_EQ(cluster.plan->directory_of("b", "logs/0"), "logs/0/b");
  EXPECT_EQ(Planned("--cluster 3").plan->primary(sync(), "").directory, "");
  const Planned own("--replicas b --directory log --level durable");
  ASSERT_EQ(own.error(), "");
  EXPECT_EQ(own.plan->primary(sync(), "log").directory, "log");
}

TEST(LoadOptions, RefusesLogsThatNodesCannotKeep) {
  const std::pair<const char*, const char*> cases[] = {
      {"--replicas b --level durable", "--directory: found nothing, allowed with --log or"},
      {"--replicas b --log", "--directory: found nothing, allowed with --log or"},
      {"--replicas b --directory nowhere/log",
       "--directory: found \"nowhere/log\", allowed a directory, or a new name in one"},
      {"--cluster 3 --log --directory nowhere",
       "--directory: found \"nowhere\", allowed with --cluster a directory that exists"},
      {"--cluster 3 --directory .", "--directory: allowed only with --log or --level durable"},
      {"--cluster 3 --keep", "--keep: allowed only with --log or --level durable"},
      {"--replicas b --directory log --keep", "--keep: allowed only with --cluster"},
      {"--cluster 3 --segment-mib 8", "--segment-mib: allowed only with --log or --level durable"},
      {"--replicas b --buffered", "--buffered: allowed only with --directory"},
      {"--cluster 3 --log --segment-mib 7", "--segment-mib: found \"7\", allowed 8…1024"},
      {"--cluster 3 --log --segment-mib 16 --ring-kib 65536",
       "--segment-mib: found 16, allowed with --ring-kib 65536 32…1024"},
      {"--cluster 3 --log --ring-kib 262144",
       "--ring-kib: found 262144, allowed with logs at most 131072"},
      {"--cluster 3 --log --streams 257", "--streams: found 257, allowed with logs 1…256"},
  };
  for (const auto& [line, expected] : cases) {
    const Planned planned(line);
    EXPECT_NE(planned.error().find(expected), std::string::npos) << line << "\n" << planned.error();
    EXPECT_EQ(planned.plan.error().code, Errc::invalid_option) << line;
  }
}

}  // namespace
}  // namespace quorate::tools
