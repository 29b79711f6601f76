#include "tools/load/trace_file.h"

#include <gtest/gtest.h>

#include <sstream>

namespace quorate::tools {
namespace {

Result<std::vector<TraceRow>> read(const std::string& text, bool in_order = false) {
  std::istringstream stream(text);
  return read_trace(stream, "t.csv", {69'632, in_order});
}

std::string error_of(const std::string& text, bool in_order = false) {
  const auto rows = read(text, in_order);
  return rows ? "none" : rows.error().text;
}

TEST(TraceFile, ReadsRowsWithAndWithoutHeading) {
  const auto rows = read("time_s,offset_bytes,length_bytes\n5,4096,512\n5.5,0,69632\n");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].time_s, 5);
  EXPECT_EQ((*rows)[0].offset_bytes, 4096u);
  EXPECT_EQ((*rows)[1].length_bytes, 69'632u);
  EXPECT_EQ(read("5,4096,512")->size(), 1u);
}

TEST(TraceFile, TakesCarriageReturnsAndEmptyLines) {
  EXPECT_EQ(read("time_s,offset_bytes,length_bytes\r\n1,2,3\r\n\n4,5,6\r\n")->size(), 2u);
}

TEST(TraceFile, NamesFileLineFieldAndWhatIsAllowed) {
  EXPECT_EQ(error_of("1,2,3\n1,2\n"),
            "t.csv:2: found 2 fields, allowed 3: time_s,offset_bytes,length_bytes");
  EXPECT_EQ(error_of("1,2,3\n\nx,2,3\n"), "t.csv:3: time_s: found \"x\", allowed 0…1000000000000");
  EXPECT_EQ(error_of("1,-2,3"),
            "t.csv:1: offset_bytes: found \"-2\", allowed 0…18446744073709551615");
  EXPECT_EQ(error_of("1,2,69633"),
            "t.csv:1: length_bytes: found \"69633\", allowed 0…69632 (the ring holds four such "
            "records)");
  EXPECT_NE(error_of("1,2, 3").find("length_bytes: found \" 3\""), std::string::npos);
  EXPECT_NE(error_of("1,2,3,4").find("found 4 fields"), std::string::npos);
  EXPECT_NE(error_of("nan,2,3").find("time_s: found \"nan\""), std::string::npos);
}

TEST(TraceFile, RefusesAHeadingInTheMiddle) {
  EXPECT_NE(error_of("1,2,3\ntime_s,offset_bytes,length_bytes\n").find("t.csv:2: time_s"),
            std::string::npos);
}

TEST(TraceFile, RefusesNothingToReplay) {
  const std::string expected =
      "t.csv: found no row, allowed at least one: time_s,offset_bytes,length_bytes";
  EXPECT_EQ(error_of(""), expected);
  EXPECT_EQ(error_of("time_s,offset_bytes,length_bytes\n"), expected);
}

TEST(TraceFile, AsksForOrderOnlyWhenTimesAreKept) {
  EXPECT_TRUE(read("2,0,1\n1,0,1\n"));
  EXPECT_EQ(error_of("2,0,1\n1,0,1\n", true),
            "t.csv:2: time_s: found \"1\", allowed 2…1000000000000");
}

TEST(TraceFile, NamesAFileThatCannotBeRead) {
  const auto rows = read_trace("/nowhere/t.csv", {100, false});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().text, "--trace: cannot read /nowhere/t.csv: No such file or directory");
  EXPECT_FALSE(read_trace("/tmp", {100, false}));
}

}  // namespace
}  // namespace quorate::tools
