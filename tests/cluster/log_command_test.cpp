// `quorate log` on directories that nodes left or are writing, and two nodes on one directory.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "cluster.h"
#include "tool.h"
#include "tools/load/owned_directory.h"

namespace quorate::cluster {
namespace {

using tools::OwnedDirectory;

class LogCommand : public testing::Test {
 protected:
  [[nodiscard]] std::string node() const { return directory_.path() + "/a"; }
  [[nodiscard]] std::string stream() const { return node() + "/stream-00000"; }
  [[nodiscard]] std::string segment() const { return stream() + "/segment-0000000000000001"; }

  std::unique_ptr<Tool> start_primary() {
    auto primary = std::make_unique<Tool>(
        "primary", std::vector<std::string>{"node", "--role=primary", "--level=durable", "--echo",
                                            "--segment-mib=8", "--directory=" + node()});
    primary->hear("listening on");
    return primary;
  }
  static void write(Tool& primary, const std::string& line) {
    primary.tell(line);
    primary.hear("released level=durable");
  }
  /// A log of three lines whose node was killed.
  void leave_log() {
    const auto primary = start_primary();
    write(*primary, "first");
    write(*primary, "a \x1b[31m line \\ with \x07 controls");
    write(*primary, "third");
    primary->kill();
  }
  void flip(const std::string& path, std::uint64_t offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(offset);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 4));
  }
  /// What it said, which has ended with that code.
  static std::string run(std::vector<std::string> arguments, int code) {
    arguments.insert(arguments.begin(), "log");
    Tool tool("log", arguments);
    const std::string said = tool.said();
    EXPECT_EQ(tool.exit_code(), code) << said;
    return said;
  }

  OwnedDirectory directory_ = OwnedDirectory::make_fresh("", false).value();
};

void expect_in(const std::string& said, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    EXPECT_NE(said.find(text), std::string::npos) << "\"" << text << "\" is not in\n" << said;
  }
}

TEST_F(LogCommand, TellsOfALogBesideTheNodeThatWritesIt) {
  const auto primary = start_primary();
  write(*primary, "first");
  for (const std::string& directory : {node(), stream(), node() + "/"}) {
    expect_in(run({"verify", directory}, 0), {"stream 0: whole", "1 frames, 1 records", "MB/s"});
    expect_in(run({"inspect", directory}, 0),
              {"state            whole", "positions        0…16", "begun", "promise          1/"});
  }
  expect_in(run({"inspect", node(), "--json"}, 0),
            {"\"state\":\"whole\"", "\"end\":16,", "\"epochs\":[{\"epoch\":1,"});
  write(*primary, "second");
  EXPECT_EQ(run({"dump", "--payload", node()}, 0), "first\nsecond\n");
}

TEST_F(LogCommand, DumpShowsWhatATerminalMustNotObey) {
  leave_log();
  const std::string said = run({"dump", "--records", node()}, 0);
  expect_in(said, {"frame stream=0 begin=0 end=16 epoch=1/", "records=1 checksum=",
                   "record position=0 kind=data length=5 \"first\"",
                   "\"a \\x1b[31m line \\\\ with \\x07 controls\""});
  EXPECT_EQ(said.find('\x1b'), std::string::npos);
  EXPECT_EQ(run({"dump", "--payload", "--limit=1", node()}, 0), "first\n");
  EXPECT_EQ(run({"dump", "--payload", "--from=16", "--limit=9", node()}, 0),
            "a \x1b[31m line \\ with \x07 controls\nthird\n");
  EXPECT_EQ(run({"dump", "--payload", "--to=16", node()}, 0), "first\n");
  EXPECT_EQ(run({"dump", "--from=16", "--to=16", node()}, 0), "");
}

TEST_F(LogCommand, VerifySaysTornOfWhatACrashMayLeave) {
  leave_log();
  // The last unit, of which no other says that it was durable: as if it had been in flight.
  flip(segment(), 3 * 4096 + 300);
  expect_in(run({"verify", node()}, 0),
            {"torn tail (would be cut at 12288 of " + segment() + ", 4096 bytes)",
             "checksum of the frames differs", "2 frames, 2 records"});
  expect_in(run({"verify", "--json", node()}, 0),
            {"\"good\":true", "\"state\":\"torn\"", "\"offset\":12288,\"bytes\":4096"});
}

TEST_F(LogCommand, VerifySaysWhatAFaultLeavesUnknown) {
  leave_log();
  flip(segment(), 4096 + 300);
  expect_in(run({"verify", node()}, 1),
            {"stream 0: fault at " + segment() + " at 4096: checksum of the frames differs",
             "unknown from 0 to "});
  expect_in(run({"verify", "--json", node()}, 1),
            {"\"good\":false", "\"state\":\"fault\"", "\"unknown_from\":0,"});
  expect_in(run({"inspect", node()}, 0), {"fault at ", "unknown"});
  expect_in(run({"dump", node()}, 1), {"fault at "});
}

TEST_F(LogCommand, VerifySaysThatAnIdentityIsLost) {
  leave_log();
  std::filesystem::remove(stream() + "/metadata");
  expect_in(run({"verify", node()}, 1),
            {"lost identity: " + stream() + "/metadata: no copy can be believed"});
}

TEST_F(LogCommand, ADirectoryThatIsNoneIsNamed) {
  const std::string expected = "expected a node's directory, with stream-00000 in it, or a "
                               "stream's, with metadata and segments in it";
  for (const char* command : {"inspect", "verify", "dump"}) {
    expect_in(run({command, directory_.path()}, 2), {directory_.path() + ": found no log in it",
                                                     expected});
    expect_in(run({command, node()}, 2), {node() + ": No such file or directory", expected});
  }
  leave_log();
  expect_in(run({"verify", segment()}, 2), {segment() + ": Not a directory", expected});
  expect_in(run({"verify", "--stream=3", node()}, 2),
            {"--stream: found 3, allowed in " + node() + ": 0"});
  expect_in(run({"dump", "--from=9", "--to=8", node()}, 2),
            {"--from: found 9, allowed at most --to, which is 8"});
}

TEST_F(LogCommand, ASecondNodeOnOneDirectoryIsRefused) {
  const auto first = start_primary();
  write(*first, "mine");
  const std::vector<std::vector<std::string>> others = {
      {"node", "--role=primary", "--segment-mib=8", "--directory=" + node()},
      {"node", "--role=replica", "--primary=127.0.0.1:1", "--directory=" + node()}};
  for (const std::vector<std::string>& other : others) {
    Tool second("second", other);
    EXPECT_EQ(second.exit_code(), 1);
    expect_in(second.said(), {"quorate node: " + node() +
                              "/lock: another process has it; only one may use a directory"});
  }
  write(*first, "still mine");
  EXPECT_EQ(run({"dump", "--payload", node()}, 0), "mine\nstill mine\n");
}

}  // namespace
}  // namespace quorate::cluster
