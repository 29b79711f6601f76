#include "tools/cli/config_file.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "tools/node/options.h"

namespace quorate::tools {
namespace {

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() {
    add_node_options(set_, options_);
    set_.attach(app_);
  }
  void parse(const std::string& line) { app_.parse(line, false); }
  std::string read(const std::string& text) {
    const Status status = read_config_text(text, "node.toml", set_);
    return status ? "" : status.error().text;
  }

  NodeOptions options_;
  OptionSet set_;
  CLI::App app_;
};

TEST_F(ConfigFile, ReadsEveryKindOfValue) {
  EXPECT_EQ(read("role = \"primary\"\nring_kib = 1024\nwait = 2.5\necho = true\n"
                 "replicas = [\"b\", \"c\"]\n"),
            "");
  EXPECT_EQ(options_.role, NodeOptions::Role::primary);
  EXPECT_EQ(options_.engine.ring_kib, 1024u);
  EXPECT_EQ(options_.wait_s, 2.5);
  EXPECT_TRUE(options_.echo);
  EXPECT_EQ(options_.replicas, (std::vector<std::string>{"b", "c"}));
}

TEST_F(ConfigFile, ReadsHowTheLogIsKept) {
  EXPECT_EQ(read("directory = \"log\"\nsegment_mib = 8\nbuffered = true\n"), "");
  EXPECT_EQ(options_.storage.directory, "log");
  EXPECT_EQ(options_.storage.segment_mib, 8u);
  EXPECT_TRUE(options_.storage.buffered);
}

TEST_F(ConfigFile, LetsTheCommandLineWin) {
  parse("--name=x --ring-kib 2048");
  EXPECT_EQ(read("name = \"y\"\nring_kib = 1024\ncluster = \"k\"\n"), "");
  EXPECT_EQ(options_.name, "x");
  EXPECT_EQ(options_.engine.ring_kib, 2048u);
  EXPECT_EQ(options_.cluster, "k");
}

TEST_F(ConfigFile, NamesLineAndColumnOfAWrongValue) {
  EXPECT_EQ(read("name = \"b\"\n  ring_kib = 1000\n"),
            "node.toml:2:3: ring_kib: found \"1000\", allowed a power of two from 512 to 1048576");
  EXPECT_EQ(read("loops = 65"), "node.toml:1:1: loops: found \"65\", allowed 1…64");
  EXPECT_EQ(read("echo = 1"), "node.toml:1:1: echo: found \"1\", allowed true or false");
  EXPECT_EQ(read("role = \"leader\""),
            "node.toml:1:1: role: found \"leader\", allowed primary, replica");
}

TEST_F(ConfigFile, RefusesUnknownKeysAndTables) {
  EXPECT_NE(read("\nnaem = \"b\"").find("node.toml:2:1: found unknown key \"naem\", allowed role"),
            std::string::npos);
  EXPECT_NE(read("config = \"other.toml\"").find("unknown key \"config\""), std::string::npos);
  EXPECT_NE(read("[name]\nx = 1").find("name: found a value of another type"), std::string::npos);
  EXPECT_NE(read("replicas = [1]").find("found a value of another type"), std::string::npos);
}

TEST_F(ConfigFile, NamesLineAndColumnOfASyntaxError) {
  EXPECT_EQ(read("name = \"b\"\nloops == 1\n").find("node.toml:2:8: "), 0u);
  EXPECT_EQ(read("name = \"b\"\nname = \"c\"\n").find("node.toml:2:"), 0u);
}

TEST_F(ConfigFile, NamesAFileThatCannotBeRead) {
  const Status status = read_config_file("/nowhere.toml", set_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().text, "--config: cannot read /nowhere.toml: No such file or directory");
  EXPECT_FALSE(read_config_file("/tmp", set_));
}

TEST_F(ConfigFile, FindsWrongValuesOfTheCommandLine) {
  parse("--loops=0");
  EXPECT_EQ(set_.problem().error().text, "--loops: found \"0\", allowed 1…64");
}

TEST_F(ConfigFile, WantsTheRoleAndWhatBelongsToIt) {
  EXPECT_EQ(complete_node_options(options_, set_).error().text,
            "--role: found nothing, allowed primary, replica");
  parse("--role=replica --primary=h:1 --echo");
  EXPECT_EQ(complete_node_options(options_, set_).error().text,
            "--echo: allowed only with --role primary");
}

}  // namespace
}  // namespace quorate::tools
