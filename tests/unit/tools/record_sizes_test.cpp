#include "tools/load/record_sizes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

namespace quorate::tools {
namespace {

TEST(RecordSizes, ReadsOneSize) {
  const auto sizes = RecordSizes::parse("0");
  ASSERT_TRUE(sizes);
  EXPECT_EQ(sizes->cycle(), std::vector<std::uint32_t>{0});
  EXPECT_EQ(RecordSizes::parse("4096")->most_bytes(), 4096u);
}

TEST(RecordSizes, ReadsUniform) {
  const auto sizes = RecordSizes::parse("uniform:16-1024");
  ASSERT_TRUE(sizes);
  EXPECT_EQ(sizes->cycle().size(), RecordSizes::kCycle);
  EXPECT_TRUE(std::has_single_bit(sizes->cycle().size()));
  EXPECT_GE(sizes->least_bytes(), 16u);
  EXPECT_EQ(sizes->most_bytes(), 1024u);
  double sum = 0;
  for (const std::uint32_t bytes : sizes->cycle()) {
    EXPECT_LE(bytes, 1024u);
    sum += bytes;
  }
  EXPECT_NEAR(sum / RecordSizes::kCycle, 520, 30);
}

TEST(RecordSizes, ReadsLognormal) {
  const auto sizes = RecordSizes::parse("lognormal:200:1");
  ASSERT_TRUE(sizes);
  std::vector<std::uint32_t> sorted = sizes->cycle();
  std::sort(sorted.begin(), sorted.end());
  EXPECT_NEAR(sorted[sorted.size() / 2], 200, 20);
  EXPECT_EQ(sizes->most_bytes(), sorted.back());
}

TEST(RecordSizes, ReadsListByItsShares) {
  const auto sizes = RecordSizes::parse("list:64@0.9,4096@0.1");
  ASSERT_TRUE(sizes);
  const auto& cycle = sizes->cycle();
  const auto large = std::count(cycle.begin(), cycle.end(), 4096u);
  EXPECT_EQ(static_cast<std::size_t>(large + std::count(cycle.begin(), cycle.end(), 64u)),
            cycle.size());
  EXPECT_NEAR(static_cast<double>(large), 410, 80);
  EXPECT_EQ(sizes->most_bytes(), 4096u);
}

TEST(RecordSizes, DrawsTheSameEachTime) {
  EXPECT_EQ(RecordSizes::parse("uniform:0-99")->cycle(),
            RecordSizes::parse("uniform:0-99")->cycle());
}

TEST(RecordSizes, RefusesWithFoundAndAllowed) {
  for (const char* text :
       {"", "-1", "64x", "1e3", "99999999999", "uniform:", "uniform:9-3", "uniform:5",
        "uniform:1-2-3", "lognormal:0:1", "lognormal:100", "lognormal:100:-1", "lognormal:100:nan",
        "list:", "list:64", "list:64@0", "list:64@0.5,", "list:64@-1", "zipf:3"}) {
    const auto sizes = RecordSizes::parse(text);
    ASSERT_FALSE(sizes) << text;
    EXPECT_EQ(sizes.error().code, Errc::invalid_option);
    EXPECT_NE(sizes.error().text.find("found \"" + std::string(text) + "\", allowed "),
              std::string::npos)
        << sizes.error().text;
  }
}

}  // namespace
}  // namespace quorate::tools
