// The file of seeds that found bugs: what its lines may be.

#include <gtest/gtest.h>

#include <sstream>

#include "tests/simulation/run/regressions.h"

namespace quorate::simulation {
namespace {

std::string error_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<Regression> regressions;
  return read_regressions(in, regressions);
}

TEST(Regressions, LinesAreReadWithAndWithoutARate) {
  std::istringstream in("# a comment\n\n134 120  # a backlog\n  7\t30 1000 # a # in it\r\n");
  std::vector<Regression> regressions;
  ASSERT_EQ(read_regressions(in, regressions), "");
  ASSERT_EQ(regressions.size(), 2u);
  EXPECT_EQ(regressions[0].seed, 134u);
  EXPECT_EQ(regressions[0].seconds, 120u);
  EXPECT_EQ(regressions[0].rate_per_s, 0u);
  EXPECT_EQ(regressions[0].why, "a backlog");
  EXPECT_EQ(regressions[1].seed, 7u);
  EXPECT_EQ(regressions[1].rate_per_s, 1000u);
  EXPECT_EQ(regressions[1].why, "a # in it");
}

TEST(Regressions, BadLinesAreNamedWithWhatIsAllowed) {
  EXPECT_EQ(error_of("1 2 # fine\nx 120 # why\n"),
            "line 2: seed: found \"x\", allowed 1 to 4611686018427387904");
  EXPECT_EQ(error_of("0 120 # why\n"),
            "line 1: seed: found \"0\", allowed 1 to 4611686018427387904");
  EXPECT_EQ(error_of("5 # why\n"), "line 1: seconds: found \"\", allowed 1 to 86400");
  EXPECT_EQ(error_of("5 86401 # why\n"), "line 1: seconds: found \"86401\", allowed 1 to 86400");
  EXPECT_EQ(error_of("5 12s # why\n"), "line 1: seconds: found \"12s\", allowed 1 to 86400");
  EXPECT_EQ(error_of("5 120 0 # why\n"), "line 1: rate: found \"0\", allowed 1 to 1000000");
  EXPECT_EQ(error_of("5 120 -1 # why\n"), "line 1: rate: found \"-1\", allowed 1 to 1000000");
  EXPECT_EQ(error_of("5 120 100 9 # why\n"),
            "line 1: found \"9\", allowed SEED SECONDS [RATE] # why");
}

TEST(Regressions, ALineSaysWhy) {
  const std::string error = "line 1: it does not say why: SEED SECONDS [RATE] # why";
  EXPECT_EQ(error_of("5 120\n"), error);
  EXPECT_EQ(error_of("5 120 #  \n"), error);
}

TEST(Regressions, AFileWithoutSeedsIsAMistake) {
  EXPECT_EQ(error_of(""), "there is no seed in it");
  EXPECT_EQ(error_of("# 5 120 # why\n"), "there is no seed in it");
}

}  // namespace
}  // namespace quorate::simulation
