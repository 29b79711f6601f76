// Registering rules, and reading and printing them.

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

class Rules : public ::testing::Test {
 protected:
  static PrimaryOptions options() {
    PrimaryOptions options;
    options.replicas = {"b", "c", "d", "e"};
    options.streams = 2;
    options.close_timeout = 0ms;
    return options;
  }

  Errc refused(const Rule& rule) {
    const auto id = primary_.stream().rule(rule);
    EXPECT_FALSE(id) << to_string(rule) << " was registered";
    return id ? Errc::busy : id.error().code;
  }

  Primary primary_ = Primary::open(options()).value();
};

TEST_F(Rules, TheSameRuleHasTheSameIdEachTime) {
  Stream stream = primary_.stream();
  const RuleId first = stream.rule(sync()).value();
  const RuleId other = stream.rule(semi_sync()).value();
  EXPECT_EQ(stream.rule(sync()).value(), first);
  EXPECT_FALSE(first == other);
}

TEST_F(Rules, RulesThatAskForTheSameAreOneRule) {
  Stream stream = primary_.stream();
  const RuleId id = stream.rule(sync()).value();
  EXPECT_EQ(stream.rule(all({"e", "d", "c", "b"})).value(), id);
  EXPECT_EQ(stream.rule(semi_sync(4)).value(), id);
  EXPECT_EQ(stream.rule(copies(5)).value(), id);
  EXPECT_FALSE(stream.rule(sync(Level::applied)).value() == id);
}

TEST_F(Rules, SixteenRulesAreAllowedAndNoMore) {
  Stream stream = primary_.stream();
  ASSERT_TRUE(stream.rule(async()));
  const std::string names[] = {"b", "c", "d", "e"};
  for (unsigned set = 1; set < 16; ++set) {
    std::vector<std::string> members;
    for (unsigned i = 0; i < 4; ++i) {
      if (set & (1u << i)) members.push_back(names[i]);
    }
    ASSERT_TRUE(stream.rule(any(1, members))) << set;
  }
  const auto seventeenth = stream.rule(sync());
  ASSERT_FALSE(seventeenth);
  EXPECT_EQ(seventeenth.error().code, Errc::invalid_option);
  EXPECT_NE(seventeenth.error().text.find("16"), std::string::npos) << seventeenth.error().text;
  EXPECT_TRUE(stream.rule(async())) << "those that are registered stay";
  EXPECT_TRUE(primary_.stream(1).rule(sync())) << "each stream has its own sixteen";
}

TEST_F(Rules, RulesThatCannotBeMetAreRefused) {
  EXPECT_EQ(refused(sync(Level::durable)), Errc::unsupported);
  EXPECT_EQ(refused(async(Level::durable)), Errc::unsupported);
  EXPECT_EQ(refused(async(Level::applied)), Errc::invalid_option);
  EXPECT_EQ(refused(semi_sync(0)), Errc::invalid_option);
  EXPECT_EQ(refused(semi_sync(5)), Errc::invalid_option);
  EXPECT_EQ(refused(copies(0)), Errc::invalid_option);
  EXPECT_EQ(refused(copies(6)), Errc::invalid_option);
  EXPECT_EQ(refused(any(3, {"b", "c"})), Errc::invalid_option);
  EXPECT_EQ(refused(all({"a"})), Errc::invalid_option);
  EXPECT_EQ(refused(all({"b", "b"})), Errc::invalid_option);
}

TEST_F(Rules, ARefusedRuleIsTheErrorOfTheWait) {
  const Ticket ticket = primary_.append("x").value();
  const auto waited = primary_.wait(ticket, sync(Level::durable), kLong);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Errc::unsupported);
}

TEST_F(Rules, ARuleRegisteredLateBeginsAtWhatIsReleased) {
  Stream stream = primary_.stream();
  const RuleId early = stream.rule(async()).value();
  const Ticket ticket = primary_.append("before the rule").value();
  ASSERT_TRUE(stream.wait(ticket, early, kLong).value().released());
  // Not the same rule as async once there are copies to count, but as easily met.
  RunningReplica b([&] {
    ReplicaOptions options;
    options.primary = primary_.address();
    options.engine.hosted = true;
    return options;
  }());
  const RuleId one = stream.rule(semi_sync()).value();
  ASSERT_TRUE(stream.wait(ticket, one, kLong).value().released());
  const RuleId late = stream.rule(any(1, {"b", "c"})).value();
  EXPECT_FALSE(late == one);
  EXPECT_EQ(stream.watermark(late), ticket.end);
  EXPECT_TRUE(stream.released(ticket, late));
}

TEST_F(Rules, TicketsOfSomethingElseCannotBeAwaited) {
  Stream stream = primary_.stream();
  const RuleId rule = stream.rule(async()).value();
  const Ticket ticket = stream.append("x").value();
  const auto code_of = [&](const Ticket& wrong, RuleId id) {
    const auto waited = stream.wait(wrong, id, kLong);
    const auto called = stream.on_released(wrong, id, [](const Outcome&) { ADD_FAILURE(); });
    EXPECT_FALSE(waited);
    EXPECT_FALSE(called);
    if (waited || called) return Errc::busy;
    EXPECT_EQ(waited.error().code, called.error().code);
    return waited.error().code;
  };
  Ticket other_stream = ticket;
  other_stream.stream = 1;
  EXPECT_EQ(code_of(other_stream, rule), Errc::invalid_option);
  EXPECT_FALSE(stream.released(other_stream, rule));
  other_stream.stream = 2;
  const auto no_such_stream = primary_.wait(other_stream, async());
  ASSERT_FALSE(no_such_stream);
  EXPECT_EQ(no_such_stream.error().code, Errc::invalid_option);
  Ticket other_epoch = ticket;
  ++other_epoch.epoch.incarnation;
  EXPECT_EQ(code_of(other_epoch, rule), Errc::fenced);
  EXPECT_FALSE(stream.released(other_epoch, rule));
  EXPECT_EQ(code_of(ticket, RuleId{1}), Errc::invalid_option);
  EXPECT_EQ(code_of(ticket, RuleId{255}), Errc::invalid_option);
  EXPECT_EQ(stream.watermark(RuleId{255}), 0u);
  EXPECT_TRUE(stream.wait(ticket, rule, kLong).value().released());
}

TEST_F(Rules, NoRuleGoesBelowTheFloor) {
  PrimaryOptions strict = options();
  strict.floor_copies = 3;
  Primary primary = Primary::open(strict).value();
  Stream stream = primary.stream();
  for (const Rule& rule : {async(), semi_sync(1), copies(2), all({"b"}), any(1, {"b", "c"})}) {
    const auto id = stream.rule(rule);
    ASSERT_FALSE(id) << to_string(rule);
    EXPECT_EQ(id.error().code, Errc::invalid_option);
    EXPECT_NE(id.error().text.find("floor_copies"), std::string::npos) << id.error().text;
  }
  for (const Rule& rule : {semi_sync(2), copies(3), all({"b", "c"}), sync()}) {
    EXPECT_TRUE(stream.rule(rule)) << to_string(rule);
  }
}

TEST_F(Rules, RulesOfTheOptionsAreRegisteredAtOpen) {
  PrimaryOptions with = options();
  with.rules = {sync(), semi_sync(2, Level::applied)};
  Primary primary = Primary::open(with).value();
  for (StreamId id : {0u, 1u}) {
    EXPECT_EQ(primary.stream(id).rule(sync()).value(), RuleId{0});
    EXPECT_EQ(primary.stream(id).rule(semi_sync(2, Level::applied)).value(), RuleId{1});
  }
  with.rules = {semi_sync(9)};
  const auto refused = Primary::open(with);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_option);
}

TEST(RuleText, WhatIsPrintedReadsAsTheSameRule) {
  for (const Rule& rule : {async(), semi_sync(1), semi_sync(7), sync(), any(2, {"b", "c", "d"}),
                           all({"b"}), all({"b", "c"}), copies(3)}) {
    const std::string text = to_string(rule);
    EXPECT_EQ(parse_rule(text, Level::received).value(), rule) << text;
  }
}

TEST(RuleText, EachModeHasAShortForm) {
  EXPECT_EQ(parse_rule("async", Level::received).value(), async());
  EXPECT_EQ(parse_rule("semi_sync", Level::applied).value(), semi_sync(1, Level::applied));
  EXPECT_EQ(parse_rule("semi_sync:2", Level::received).value(), semi_sync(2));
  EXPECT_EQ(parse_rule("sync", Level::durable).value(), sync(Level::durable));
  EXPECT_EQ(parse_rule("any:2:b,c", Level::received).value(), any(2, {"b", "c"}));
  EXPECT_EQ(parse_rule("any:2", Level::received).value(), semi_sync(2));
  EXPECT_EQ(parse_rule("all:b", Level::received).value(), all({"b"}));
  EXPECT_EQ(parse_rule("copies:2", Level::received).value(), copies(2));
}

TEST(RuleText, WhatIsNoRuleIsRefusedWithWhatIsAllowed) {
  for (const char* text : {"",
                           "Async",
                           "sync ",
                           "async:",
                           "async:1",
                           "sync:b",
                           "semi_sync:",
                           "semi_sync:0",
                           "semi_sync:-1",
                           "semi_sync:1x",
                           "semi_sync:99999999999",
                           "any",
                           "any:",
                           "any:b",
                           "any:0:b",
                           "any:1:b,",
                           "any:1:,b",
                           "any:1:b,,c",
                           "all",
                           "all:",
                           "all:,",
                           "copies",
                           "copies:",
                           "copies:0",
                           "copies:two",
                           ":",
                           "quorum"}) {
    const auto rule = parse_rule(text, Level::received);
    ASSERT_FALSE(rule) << text;
    EXPECT_EQ(rule.error().code, Errc::invalid_option);
    EXPECT_NE(rule.error().text.find("found \"" + std::string(text) + "\""), std::string::npos);
    EXPECT_NE(rule.error().text.find("allowed async"), std::string::npos);
  }
}

}  // namespace
}  // namespace quorate
