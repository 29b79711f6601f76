#include "tools/cli/text.h"

#include <gtest/gtest.h>

#include "tools/cli/json.h"

namespace quorate::tools {
namespace {

TEST(Text, ReadsWholeNumbersOnly) {
  EXPECT_EQ(parse_number<std::uint32_t>("42"), 42u);
  EXPECT_EQ(parse_number<double>("1.5"), 1.5);
  for (const char* text : {"", " 1", "1 ", "1x", "-1", "4294967296"}) {
    EXPECT_FALSE(parse_number<std::uint32_t>(text)) << text;
  }
}

TEST(Text, SplitsAndKeepsEmptyParts) {
  EXPECT_EQ(split("a,,b", ',').size(), 3u);
  EXPECT_EQ(split("", ',').size(), 1u);
  EXPECT_EQ(split("a,", ',')[1], "");
}

TEST(Text, WritesNumbersForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(12345678), "12,345,678");
  EXPECT_EQ(byte_text(1023), "1023 B");
  EXPECT_EQ(byte_text(1536), "1.5 KiB");
  EXPECT_EQ(byte_text(std::uint64_t{5} << 30), "5.0 GiB");
  EXPECT_EQ(short_number(3.14159), "3.14");
  EXPECT_EQ(short_number(1234.5), "1234");
}

TEST(Text, AlignsColumnsByWhatIsSeen) {
  Table table(1);
  table.row({"µs", "n"});
  table.row({"abc", "10"});
  EXPECT_EQ(table.text(), "µs    n\nabc  10\n");
}

TEST(Json, EscapesAndNests) {
  JsonArray array;
  array.raw("1").raw("2");
  JsonObject object;
  object.add("text", "a\"\\\t").add("yes", true).add("n", 7u).raw("array", array.text());
  EXPECT_EQ(object.text(), "{\"text\":\"a\\\"\\\\\\u0009\",\"yes\":true,\"n\":7,\"array\":[1,2]}");
  EXPECT_EQ(json_number(1.0 / 0.0), "null");
}

}  // namespace
}  // namespace quorate::tools
