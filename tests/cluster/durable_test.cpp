// The command-line tool with logs: what it measures, and nodes that are killed and go on.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cluster.h"
#include "tool.h"
#include "tools/load/owned_directory.h"

namespace quorate::cluster {
namespace {

using tools::OwnedDirectory;

/// A primary and one replica with logs, by the words of the tool.
class Durable : public OnEachBackend {
 protected:
  void start_primary() {
    // The port of one that was killed stays taken for a moment (see restart_test.cpp).
    for (bool listens = false; !listens;) {
      primary_ = std::make_unique<Tool>(
          "primary", std::vector<std::string>{"node", "--role=primary", "--listen=" + address_,
                                              "--replicas=b", "--mode=sync", "--level=durable",
                                              "--echo", "--wait=60", logs("a"), backend()});
      listens = primary_->hear_or_end("listening on").has_value();
      if (listens) continue;
      ASSERT_NE(primary_->said().find("in use"), std::string::npos) << primary_->said();
    }
  }
  void start_replica() {
    replica_ = std::make_unique<Tool>(
        "replica", std::vector<std::string>{"node", "--role=replica", "--primary=" + address_,
                                            "--name=b", "--output=-", logs("b"), backend()});
  }
  void expect_line_is_durable(const std::string& text) {
    primary_->tell(text);
    const std::string echo = primary_->hear("line=");
    EXPECT_NE(echo.find(" released level=durable copies=2"), std::string::npos) << echo;
  }
  [[nodiscard]] std::string logs(const std::string& name) const {
    return "--directory=" + directory_.path() + '/' + name;
  }
  [[nodiscard]] static std::string backend() { return std::string("--backend=") + GetParam(); }

  OwnedDirectory directory_ = OwnedDirectory::make_fresh("", false).value();
  std::string address_ = "127.0.0.1:" + std::to_string(free_port());
  std::unique_ptr<Tool> primary_;
  std::unique_ptr<Tool> replica_;
};
INSTANTIATE_TEST_SUITE_P(Backends, Durable, testing::Values("io_uring", "epoll"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST_P(Durable, ALoadIsVerifiedAndLeavesNoDirectoryBehind) {
  Tool load("load",
            {"load", "--cluster=3", "--mode=sync", "--level=durable", "--verify", "--seconds=0.5",
             "--json", "--segment-mib=8", "--directory=" + directory_.path(), backend()});
  EXPECT_EQ(load.exit_code(), 0);
  const std::string said = load.said();
  EXPECT_NE(said.find("\"level\":\"durable\",\"log\":true"), std::string::npos) << said;
  EXPECT_NE(said.find("verified 2 of 2 replicas"), std::string::npos) << said;
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path())) << said;
}

TEST_P(Durable, AReplicaThatComesBackBehindTheLogIsVerifiedByWayOfASnapshot) {
  Tool load("load", {"load", "--cluster=3", "--mode=semi_sync", "--log", "--verify",
                     "--snapshot-every=4", "--segment-mib=8", "--retain-mib=8",
                     "--record-size=8192", "--lag-policy=drop", "--kill=c@0.1", "--restart=c@64MiB",
                     "--seconds=5", "--directory=" + directory_.path(), backend()});
  EXPECT_EQ(load.exit_code(), 0);
  const std::string said = load.said();
  EXPECT_NE(said.find("begins with a snapshot"), std::string::npos) << said;
  EXPECT_NE(said.find("verified 2 of 2 replicas"), std::string::npos) << said;
}

TEST_P(Durable, AnInterruptedLoadLeavesNoDirectoryBehind) {
  Tool load("load",
            {"load", "--cluster=3", "--mode=sync", "--level=durable", "--seconds=3600",
             "--progress", "--segment-mib=8", "--directory=" + directory_.path(), backend()});
  load.hear("writes/s");
  EXPECT_FALSE(std::filesystem::is_empty(directory_.path()));
  load.interrupt();
  EXPECT_EQ(load.exit_code(), 1);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path())) << load.said();
}

TEST_P(Durable, ALevelThatNeedsALogIsRefusedWithoutOne) {
  Tool node("primary", {"node", "--role=primary", "--level=durable", backend()});
  EXPECT_EQ(node.exit_code(), 2);
  EXPECT_NE(node.said().find("level durable: this primary keeps no log"), std::string::npos);
}

TEST_P(Durable, AKilledReplicaResumesFromItsLogAndTheNextLineIsReleased) {
  start_primary();
  start_replica();
  expect_line_is_durable("before");
  replica_->hear("before");
  replica_->kill();
  start_replica();
  replica_->hear("resumed at position");
  expect_line_is_durable("after");
  replica_->hear("after");
}

TEST_P(Durable, AKilledPrimaryGoesOnInItsDirectoryAndItsReplicaWithIt) {
  start_primary();
  start_replica();
  expect_line_is_durable("before");
  replica_->hear("before");
  primary_->kill();
  start_primary();
  primary_->hear("in epoch 2");
  replica_->hear("resumed at position");
  expect_line_is_durable("after");
  replica_->hear("after");
}

TEST_P(Durable, StatusShowsWhatTheLogsHold) {
  start_primary();
  start_replica();
  expect_line_is_durable("a line");
  Tool status("status", {"status", "--address=" + address_, "--json"});
  EXPECT_EQ(status.exit_code(), 0);
  // A record of six bytes is as long as two words.
  const std::string said = status.said();
  EXPECT_NE(said.find("\"appended\":16,"), std::string::npos) << said;
  EXPECT_NE(said.find("\"durable\":16,\"log_first\":0,"), std::string::npos) << said;
  EXPECT_NE(said.find("\"durable\":16,\"applied\":"), std::string::npos) << said;
}

}  // namespace
}  // namespace quorate::cluster
