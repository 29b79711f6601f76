// Seeds that are known to find planted bugs: what the lines of their file may be, and that they
// only save a hunt, and never decide what it would not.

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "tests/simulation/run/hunts.h"
#include "tests/simulation/run/known_seeds.h"

namespace quorate::simulation {
namespace {

const KnownNames kNames{{"late", "early"}, {"wet", "dry"}};

std::string error_in(const std::string& text) {
  std::istringstream in(text);
  KnownSeeds seeds;
  return read_known_seeds(in, kNames, seeds);
}

TEST(KnownSeeds, LinesAreRead) {
  std::istringstream in("# a comment\n\nlate wet 12\n  early\tdry 3  # and why\r\n");
  KnownSeeds seeds;
  ASSERT_EQ(read_known_seeds(in, kNames, seeds), "");
  ASSERT_EQ(seeds.size(), 2u);
  EXPECT_EQ(seeds["late"].kind, "wet");
  EXPECT_EQ(seeds["late"].seed, 12u);
  EXPECT_EQ(seeds["early"].kind, "dry");
  EXPECT_EQ(seeds["early"].seed, 3u);
}

TEST(KnownSeeds, BadLinesAreNamedWithWhatIsAllowed) {
  EXPECT_EQ(error_in("late wet 1\nlater wet 1\n"),
            "line 2: bug: found \"later\", allowed late early");
  EXPECT_EQ(error_in("late damp 1\n"), "line 1: kind: found \"damp\", allowed wet dry");
  EXPECT_EQ(error_in("late\n"), "line 1: kind: found \"\", allowed wet dry");
  EXPECT_EQ(error_in("late wet\n"),
            "line 1: seed: found \"\", allowed 1 to 4611686018427387904");
  EXPECT_EQ(error_in("late wet 0\n"),
            "line 1: seed: found \"0\", allowed 1 to 4611686018427387904");
  EXPECT_EQ(error_in("late wet 1 2\n"), "line 1: found \"2\", allowed BUG KIND SEED");
  EXPECT_EQ(error_in("late wet 1\n\nlate dry 2\n"),
            "line 3: bug: found late a second time, allowed once");
}

TEST(KnownSeeds, WhatIsWrittenIsReadAgain) {
  const KnownSeeds written{{"late", {"wet", 1u << 30}}, {"early", {"dry", 1}}};
  std::stringstream file;
  write_known_seeds(file, written);
  KnownSeeds seeds;
  ASSERT_EQ(read_known_seeds(file, kNames, seeds), "");
  ASSERT_EQ(seeds.size(), 2u);
  EXPECT_EQ(seeds["late"].kind, "wet");
  EXPECT_EQ(seeds["late"].seed, 1u << 30);
  EXPECT_EQ(seeds["early"].kind, "dry");
}

TEST(KnownSeeds, AFileWithoutLinesKnowsNone) {
  EXPECT_EQ(error_in("# nothing yet\n"), "");
}

/// In the process of a world: the bug that is planted in it, and that `first` was in it.
std::string planted;
bool spoiled = false;

/// Wet worlds find `late` with every fourth seed, die of `early`, and after `first` find whatever
/// is planted. The dry world 5 fails with nothing planted too; dry ones find `late` with every odd
/// seed.
std::vector<Hunts::Kind> kinds() {
  CampaignOptions wet;
  wet.seeds = 8;
  wet.world = [](std::uint64_t seed) {
    if (planted == "early") std::_Exit(7);
    spoiled |= planted == "first";
    return report_of(seed, spoiled || (planted == "late" && seed % 4 == 0) ? "it is wet" : "");
  };
  CampaignOptions dry;
  dry.seeds = 8;
  dry.world = [](std::uint64_t seed) {
    if (seed == 5) return report_of(seed, "always");
    return report_of(seed, planted == "late" && seed % 2 == 1 ? "it is dry" : "");
  };
  return {{"wet", wet, {4, 60}}, {"dry", dry, {8, 60}}};
}

struct Hunting {
  Hunts hunts{kinds(), [](const std::string& bug) { planted = bug; },
              [this](const std::string& kind, const SeedFailure& failure) {
                left_out.push_back(kind + ' ' + std::to_string(failure.seed));
              }};
  std::vector<std::string> left_out;
};

TEST(Hunts, AKnownSeedSavesTheHunt) {
  Hunting hunting;
  hunting.hunts.try_known({{"late", {"wet", 8}}, {"early", {"wet", 3}}}, 2);
  const Verdict late = hunting.hunts.run("late", {"wet", "dry"});
  EXPECT_TRUE(late.killed);
  EXPECT_TRUE(late.known);
  EXPECT_EQ(late.seed, 8u);
  EXPECT_EQ(late.kind, "wet");
  EXPECT_EQ(late.how, "it is wet");
  const Verdict early = hunting.hunts.run("early", {"wet"});
  EXPECT_TRUE(early.known);
  EXPECT_EQ(early.seed, 3u);
  EXPECT_EQ(early.how, "died with status 7");
  EXPECT_GT(hunting.hunts.cpu_s(), 0);
  EXPECT_EQ(hunting.hunts.left_out(), 0u);
}

TEST(Hunts, AKnownSeedBelongsToWorldsOfItsKind) {
  Hunting hunting;
  hunting.hunts.try_known({{"late", {"dry", 7}}}, 2);
  const Verdict verdict = hunting.hunts.run("late", {"wet"});
  EXPECT_TRUE(verdict.known);
  EXPECT_EQ(verdict.seed, 7u);
  EXPECT_EQ(verdict.kind, "dry");
  EXPECT_EQ(verdict.how, "it is dry");
}

TEST(Hunts, WhereAKnownSeedFindsNothingTheBugIsHunted) {
  Hunting hunting;
  hunting.hunts.try_known({{"late", {"wet", 3}}}, 2);
  const Verdict verdict = hunting.hunts.run("late", {"wet", "dry"});
  EXPECT_TRUE(verdict.killed);
  EXPECT_FALSE(verdict.known);
  EXPECT_EQ(verdict.seed, 4u);
  EXPECT_EQ(verdict.kind, "wet");
}

TEST(Hunts, AKnownSeedThatFailsWithNothingPlantedIsLeftOutAndToldOnce) {
  Hunting hunting;
  hunting.hunts.try_known({{"late", {"dry", 5}}}, 2);
  EXPECT_EQ(hunting.left_out, std::vector<std::string>{"dry 5"});
  const Verdict verdict = hunting.hunts.run("late", {"dry"});
  EXPECT_TRUE(verdict.killed);
  EXPECT_FALSE(verdict.known);
  EXPECT_EQ(verdict.seed, 1u);
  EXPECT_EQ(hunting.left_out, std::vector<std::string>{"dry 5"});
  EXPECT_EQ(hunting.hunts.left_out(), 1u);
  EXPECT_FALSE(hunting.hunts.nothing_passes());
}

TEST(Hunts, WhatNoWorldFindsLives) {
  Hunting hunting;
  hunting.hunts.try_known({{"unseen", {"wet", 4}}, {"late", {"wet", 4}}}, 1);
  EXPECT_FALSE(hunting.hunts.run("unseen", {"wet", "dry"}).killed);
  EXPECT_TRUE(hunting.hunts.run("late", {"wet"}).known);
}

TEST(Hunts, WhatABugSpoilsKillsNoOther) {
  Hunting hunting;
  hunting.hunts.try_known({{"first", {"wet", 4}}, {"second", {"wet", 4}}}, 1);
  EXPECT_TRUE(hunting.hunts.run("first", {"wet"}).known);
  EXPECT_FALSE(hunting.hunts.run("second", {"wet"}).known);
}

TEST(Hunts, TheNextKindIsHuntedThroughWhereTheFirstFindsNothing) {
  Hunting hunting;
  const Verdict verdict = hunting.hunts.run("early", {"dry", "wet"});
  EXPECT_TRUE(verdict.killed);
  EXPECT_EQ(verdict.kind, "wet");
}

}  // namespace
}  // namespace quorate::simulation
