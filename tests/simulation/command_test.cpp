// The command line of `simulate`: what it means, what it refuses and how, and what the program
// prints.

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/simulation/run/command.h"

namespace quorate::simulation {
namespace {

Parsed parse(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word == "''" ? "" : word);
  return parse_command(words);
}

void expect_refused(const std::string& line, const std::string& because) {
  const Parsed parsed = parse(line);
  EXPECT_EQ(parsed.what, Parsed::What::bad) << line;
  EXPECT_NE(parsed.text.find(because), std::string::npos) << line << ": " << parsed.text;
}

struct Output {
  int status;
  std::string text;  ///< both streams
};

Output simulate(const std::string& arguments) {
  std::FILE* pipe = popen((std::string(SIMULATE) + " " + arguments + " 2>&1").c_str(), "r");
  Output output{-1, {}};
  if (pipe == nullptr) return output;
  char buffer[4096];
  for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    output.text.append(buffer, got);
  }
  const int status = pclose(pipe);
  output.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

testing::AssertionResult has(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no \"" << part << "\" in: " << text;
}

TEST(Command, ACampaignIsWhatItsOptionsSay) {
  const Parsed parsed = parse(
      "--seeds 5 --first 3 --rate 200 --seconds 60 --jobs 2 --cpu-limit 9 --require-faults "
      "--require-hours 1.5 --without flip,reset --json");
  ASSERT_EQ(parsed.what, Parsed::What::run) << parsed.text;
  const Command& command = parsed.command;
  EXPECT_EQ(command.campaign.seeds, 5u);
  EXPECT_EQ(command.campaign.first_seed, 3u);
  EXPECT_EQ(command.campaign.rate_per_s, 200u);
  EXPECT_EQ(command.campaign.horizon, 60 * kSecond_ns);
  EXPECT_EQ(command.campaign.jobs, 2u);
  EXPECT_EQ(command.campaign.cpu_limit_s, 9u);
  EXPECT_TRUE(command.require_faults);
  EXPECT_EQ(command.require_hours, 1.5);
  EXPECT_FALSE(command.campaign.mix.allows(Fault::flip));
  EXPECT_TRUE(command.campaign.mix.allows(Fault::isolate));
  EXPECT_TRUE(command.json);
}

TEST(Command, WhatShowsAFailureAgainHasEveryOptionThatMatters) {
  EXPECT_EQ(parse("--seeds 5").command.again(42),
            "build/release/tests/simulate --seed 42 --seconds 360");
  const Parsed parsed =
      parse("--seed 42 --rate 200 --seconds 60 --faults flip,reset --cpu-limit 9 --only 12s:3,4");
  const std::string again =
      "--seed 42 --seconds 60 --rate 200 --faults flip,reset --cpu-limit 9 --only 12s:3,4";
  EXPECT_EQ(parsed.command.again(42), "build/release/tests/simulate " + again);
  EXPECT_EQ(parse(again).command.again(42), parsed.command.again(42));
  EXPECT_EQ(parse("--without flip").command.again(1),
            "build/release/tests/simulate --seed 1 --seconds 360 --without flip");
  EXPECT_EQ(parse("--faults none").command.again(1),
            "build/release/tests/simulate --seed 1 --seconds 360 --faults none");
}

TEST(Command, NumbersOutsideOfTheirRangeAreRefused) {
  expect_refused("--seeds 0", "--seeds: Value 0 not in range");
  expect_refused("--seeds -3", "--seeds");
  expect_refused("--seeds many", "--seeds");
  expect_refused("--first 0", "--first: Value 0 not in range");
  expect_refused("--seed 0", "--seed: Value 0 not in range");
  expect_refused("--seconds 0", "--seconds: Value 0 not in range 1 to 86400");
  expect_refused("--seconds 86401", "--seconds: Value 86401 not in range");
  expect_refused("--rate 0", "--rate: Value 0 not in range 1 to 1000000");
  expect_refused("--jobs 0", "--jobs: Value 0 not in range");
  expect_refused("--cpu-limit 0", "--cpu-limit: Value 0 not in range");
  expect_refused("--minutes 0", "--minutes: found 0, allowed more than 0 and at most 100000");
  expect_refused("--minutes 1e-9", "--minutes: found 1e-09, allowed at least 0.01");
  expect_refused("--regressions ", "--regressions");
  expect_refused("--seed 1 --shrink --only 3s", "excludes");
  expect_refused("--minutes -1", "--minutes: found -1, allowed");
  expect_refused("--minutes nan", "--minutes");
  expect_refused("--minutes inf", "--minutes");
  expect_refused("--require-hours 0", "--require-hours: found 0, allowed");
}

TEST(Command, UnknownWordsAndMissingValuesAreRefused) {
  expect_refused("--sedes 5", "--sedes");
  expect_refused("5", "5");
  expect_refused("--seeds", "--seeds");
  expect_refused("--faults", "--faults");
}

TEST(Command, OptionsWithoutMeaningBesideEachOtherAreRefused) {
  expect_refused("--seed 1 --seeds 2", "excludes");
  expect_refused("--seed 1 --first 2", "excludes");
  expect_refused("--seed 1 --minutes 2", "excludes");
  expect_refused("--seed 1 --require-faults", "excludes");
  expect_refused("--seed 1 --require-hours 2", "excludes");
  expect_refused("--seeds 1 --minutes 2", "excludes");
  expect_refused("--regressions x --seeds 1", "excludes");
  expect_refused("--regressions x --rate 100", "excludes");
  expect_refused("--shrink", "--shrink requires --seed");
  expect_refused("--only 3s", "--only requires --seed");
  expect_refused("--seed 1 --only 3", "--only: found \"3\", allowed");
}

TEST(Command, ImpossibleMixesOfFaultsAreRefused) {
  expect_refused("--faults flipp",
                 "--faults: found \"flipp\", allowed names of faults separated by commas, none "
                 "empty: slow_link,");
  expect_refused("--without flipp", "--without: found \"flipp\", allowed names");
  expect_refused("--without none", "--without: found \"none\", allowed names");
  expect_refused("--faults ''", "--faults: found \"\", allowed names");
  expect_refused("--without ''", "--without: found \"\", allowed names");
  expect_refused("--faults flip,", "--faults: found \"\", allowed names");
  expect_refused("--faults flip,flip", "--faults: found \"flip\", allowed each name once");
  expect_refused("--faults flip,reset --without reset",
                 "--without: found \"reset\", allowed names that --faults has not");
  expect_refused("--faults none,flip", "--faults: found \"none,flip\", allowed none alone");
  expect_refused("--faults none --without flip", "--faults: found \"none\", allowed none alone");
  expect_refused("--faults none --require-faults", "--require-faults: no fault may occur");
}

TEST(Command, AMixLeavesOutOfAPlanWhatItDoesNotAllow) {
  const Plan whole = Plan::draw(7, 0, 360 * kSecond_ns);
  const Fault kind = whole.episodes.front().fault;
  Plan without = whole;
  Plan only = whole;
  Plan none = whole;
  parse("--without " + std::string(to_string(kind))).command.campaign.mix.apply(without);
  parse("--faults " + std::string(to_string(kind))).command.campaign.mix.apply(only);
  parse("--faults none").command.campaign.mix.apply(none);
  EXPECT_EQ(without.episodes.size() + only.episodes.size(), whole.episodes.size());
  for (const Episode& episode : without.episodes) EXPECT_NE(episode.fault, kind);
  for (const Episode& episode : only.episodes) EXPECT_EQ(episode.fault, kind);
  EXPECT_TRUE(none.episodes.empty());
}

TEST(Command, WhatWasRequiredAndNotReachedIsNamed) {
  CampaignResult result;
  result.faults.fill(1);
  result.effects.counts.fill(1);
  result.forged.fill(1);
  result.counted_s = 3600;
  EXPECT_EQ(not_reached(parse("--require-faults --require-hours 1").command, result), "");
  result.faults[static_cast<std::size_t>(Fault::flip)] = 0;
  result.faults[static_cast<std::size_t>(Fault::reset)] = 0;
  EXPECT_EQ(not_reached(parse("--json").command, result), "");
  EXPECT_EQ(not_reached(parse("--require-faults").command, result),
            "--require-faults: never occurred: reset, flip");
  result.effects[Effect::torn_writes] = 0;
  result.forged[static_cast<std::size_t>(Forgery::gap)] = 0;
  EXPECT_EQ(not_reached(parse("--require-faults").command, result),
            "--require-faults: never occurred: reset, flip, torn_writes, gap");
  EXPECT_EQ(not_reached(parse("--require-faults --without flip").command, result),
            "--require-faults: never occurred: reset");
  EXPECT_EQ(not_reached(parse("--require-hours 1.5").command, result),
            "--require-hours: counted 1.000 hours, required 1.5");
}

TEST(Simulate, ACampaignEndsWithItsCounts) {
  const Output output = simulate("--seeds 2 --seconds 2 --faults none --json");
  EXPECT_EQ(output.status, 0) << output.text;
  for (const char* field : {"{\"seeds\": 2", "\"simulated_hours\": ", "\"counted_hours\": ",
                            "\"wall_s\": ", "\"cpu_s\": ", "\"times_real\": ", "\"failures\": 0",
                            "\"hash\": \"", "\"releases\": ", "\"flip\": 0"}) {
    EXPECT_TRUE(has(output.text, field));
  }
}

TEST(Simulate, ASeedPrintsWhatHappensInItsWorld) {
  const Output trace = simulate("--seed 3 --seconds 2");
  EXPECT_EQ(trace.status, 0) << trace.text;
  EXPECT_TRUE(has(trace.text, "plan     seed 3:"));
  const Output silent = simulate("--seed 3 --seconds 2 --json");
  EXPECT_EQ(silent.text.find("{\"seed\": 3"), 0u) << silent.text;
  EXPECT_TRUE(has(trace.text, silent.text));
}

TEST(Simulate, BadInputIsAnErrorAndNoRun) {
  const Output output = simulate("--seeds 0");
  EXPECT_EQ(output.status, 2);
  EXPECT_EQ(output.text.find("simulate: --seeds: Value 0 not in range"), 0u) << output.text;
  EXPECT_EQ(simulate("--faults none,flip").status, 2);
  EXPECT_EQ(simulate("--help").status, 0);
}

TEST(Simulate, WhatIsRequiredAndNotReachedFailsTheCampaign) {
  const Output output = simulate("--seeds 1 --seconds 1 --require-faults --require-hours 5 --json");
  EXPECT_EQ(output.status, 1);
  EXPECT_TRUE(has(output.text, "{\"seeds\": 1"));
  EXPECT_TRUE(has(output.text, "simulate: --require-faults: never occurred: "));
  EXPECT_TRUE(has(output.text, "--require-hours: counted 0.0"));
}

TEST(Simulate, AFailureIsOneLineAndShowsTheEndOfItsTrace) {
  const std::string endless = "--seconds 86400 --rate 1000000 --cpu-limit 1 --without flip";
  const Output campaign = simulate("--seeds 1 --json " + endless);
  EXPECT_EQ(campaign.status, 1);
  EXPECT_TRUE(has(campaign.text, "FAIL seed 1 commit "));
  EXPECT_TRUE(has(campaign.text,
                  ": liveness: no end within the CPU limit of a seed | build/release/tests/"
                  "simulate --seed 1 --seconds 86400 --rate 1000000 --without flip --cpu-limit 1"));
  EXPECT_TRUE(has(campaign.text, "lines of the trace of seed 1:\n"));
  EXPECT_TRUE(has(campaign.text, "\"failures\": 1"));
  const Output replay = simulate("--seed 1 --json " + endless);
  EXPECT_EQ(replay.status, 1);
  EXPECT_TRUE(has(replay.text, ": liveness: no end within the CPU limit of a seed | "));
  EXPECT_TRUE(has(replay.text, "\"failed\": true"));
}

TEST(Simulate, ASoakGoesOnUntilItsTimeIsOver) {
  const Output output = simulate("--minutes 0.01 --seconds 1 --jobs 1 --json");
  EXPECT_EQ(output.status, 0) << output.text;
  EXPECT_TRUE(has(output.text, "\"failures\": 0"));
  EXPECT_EQ(output.text.find("{\"seeds\": 0"), std::string::npos) << output.text;
}

TEST(Simulate, RegressionsAreRunAndBadFilesRefused) {
  const std::string path = testing::TempDir() + "quorate_regressions.txt";
  std::ofstream(path) << "5 1 # nothing\n6 1 100 # nothing either\n";
  const Output good = simulate("--regressions " + path);
  EXPECT_EQ(good.status, 0);
  EXPECT_EQ(good.text, "{\"regressions\": 2, \"failures\": 0}\n");
  std::ofstream(path) << "5 1 # nothing\n6\n";
  const Output bad = simulate("--regressions " + path);
  EXPECT_EQ(bad.status, 2);
  EXPECT_EQ(bad.text, "simulate: " + path + ": line 2: seconds: found \"\", allowed 1 to 86400\n");
  std::remove(path.c_str());
  EXPECT_TRUE(has(simulate("--regressions " + path).text, "No such file"));
}

}  // namespace
}  // namespace quorate::simulation
