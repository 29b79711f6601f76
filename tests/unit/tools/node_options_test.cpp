#include "tools/node/options.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace quorate::tools {
namespace {

/// The options of a command line.
struct Completed {
  explicit Completed(const std::string& line) {
    add_node_options(set, options);
    set.attach(app);
    app.parse(line, false);
    status = complete_node_options(options, set);
  }
  [[nodiscard]] std::string error() const { return status ? "" : status.error().text; }

  NodeOptions options;
  OptionSet set;
  CLI::App app;
  Status status = Done{};
};

TEST(NodeOptions, KeepsTheLogOfEitherRoleInADirectory) {
  const Completed primary("--role primary --directory log --segment-mib 8");
  ASSERT_EQ(primary.error(), "");
  const PrimaryOptions leads = primary_options(primary.options, sync());
  EXPECT_EQ(leads.directory, "log");
  EXPECT_EQ(leads.storage.segment_bytes, 8u << 20);
  EXPECT_TRUE(leads.storage.direct);
  const Completed replica("--role replica --primary h:1 --directory . --buffered");
  ASSERT_EQ(replica.error(), "");
  const ReplicaOptions follows = replica_options(replica.options);
  EXPECT_EQ(follows.directory, ".");
  EXPECT_FALSE(follows.storage.direct);
}

TEST(NodeOptions, LeavesNothingOfTheLogOutOfTheDigest) {
  const Completed replica("--role replica --primary h:1 --directory .");
  EXPECT_TRUE(replica_options(replica.options).resume_after.empty());
}

TEST(NodeOptions, RefusesLogsThatTheNodeCannotKeep) {
  const std::pair<const char*, const char*> cases[] = {
      {"--role primary --segment-mib 8", "--segment-mib: allowed only with --directory"},
      {"--role primary --buffered", "--buffered: allowed only with --directory"},
      {"--role replica --primary h:1 --directory nowhere/b",
       "--directory: found \"nowhere/b\", allowed a directory, or a new name in one"},
      {"--role primary --directory log --ring-kib 262144", "--ring-kib: found 262144, allowed"},
      {"--role primary --directory log --ring-kib 65536 --segment-mib 8",
       "--segment-mib: found 8, allowed with --ring-kib 65536 32…1024"},
      {"--role primary --directory log --segment-mib 1025",
       "--segment-mib: found \"1025\", allowed 8…1024"},
  };
  for (const auto& [line, expected] : cases) {
    const Completed completed(line);
    EXPECT_NE(completed.error().find(expected), std::string::npos) << line << "\n"
                                                                   << completed.error();
    EXPECT_EQ(completed.status.error().code, Errc::invalid_option) << line;
  }
}

}  // namespace
}  // namespace quorate::tools
