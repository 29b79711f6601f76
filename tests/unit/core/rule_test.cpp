#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/quorum.h"

namespace quorate::core {
namespace {

const std::vector<std::string> kReplicas{"b", "c", "d"};

CompiledRule compiled(const Rule& rule) { return compile_rule(rule, kReplicas, 1).value(); }

Error refusal(const Rule& rule, std::uint32_t floor_copies = 1) {
  auto result = compile_rule(rule, kReplicas, floor_copies);
  return result ? Error(Errc::io, "was accepted") : result.error();
}

TEST(CompileRule, AsyncNeedsNobody) {
  EXPECT_EQ(compiled(async()), (CompiledRule{Level::received, 0, 0}));
}

TEST(CompileRule, SyncNeedsEveryReplica) {
  EXPECT_EQ(compiled(sync()), (CompiledRule{Level::received, 3, 0b111}));
}

TEST(CompileRule, SemiSyncNeedsAnyOfAll) {
  EXPECT_EQ(compiled(semi_sync(2)), (CompiledRule{Level::received, 2, 0b111}));
}

TEST(CompileRule, NamesChooseTheMembers) {
  EXPECT_EQ(compiled(any(1, {"d", "b"})), (CompiledRule{Level::received, 1, 0b101}));
  EXPECT_EQ(compiled(all({"c", "d"}, Level::applied)), (CompiledRule{Level::applied, 2, 0b110}));
}

TEST(CompileRule, CopiesCountThePrimary) {
  EXPECT_EQ(compiled(copies(3)), (CompiledRule{Level::received, 2, 0b111}));
  EXPECT_EQ(compiled(copies(4)), compiled(sync()));
}

TEST(CompileRule, RulesThatMeanTheSameCompileToTheSame) {
  EXPECT_EQ(compiled(copies(1)), compiled(async()));
  EXPECT_EQ(compiled({Rule::Kind::async, Level::received, 0, {"b"}}), compiled(async()));
  EXPECT_EQ(compiled(any(3, {})), compiled(sync()));
  EXPECT_EQ(compiled(any(2, {"b", "c"})), compiled(all({"c", "b"})));
}

TEST(CompileRule, UnknownNameIsRefusedByName) {
  const Error error = refusal(any(1, {"b", "x"}));
  EXPECT_EQ(error.code, Errc::invalid_option);
  EXPECT_EQ(error.text, "rule names: found \"x\", which is no replica of this primary");
}

TEST(CompileRule, RepeatedNameIsRefused) {
  const Error error = refusal(all({"c", "c"}));
  EXPECT_EQ(error.code, Errc::invalid_option);
  EXPECT_EQ(error.text, "rule names: \"c\" is named twice");
}

TEST(CompileRule, CountOutsideTheMembersIsRefusedWithTheRange) {
  EXPECT_EQ(refusal(semi_sync(0)).text,
            "rule count: found 0, allowed 1…3 with these replicas");
  EXPECT_EQ(refusal(any(3, {"b", "c"})).text,
            "rule count: found 3, allowed 1…2 with these replicas");
  EXPECT_EQ(refusal(copies(0)).text, "rule count: found 0, allowed 1…4 with these replicas");
  EXPECT_EQ(refusal(copies(5)).text, "rule count: found 5, allowed 1…4 with these replicas");
}

TEST(CompileRule, AppliedIsNotOfferedForAsync) {
  const Error error = refusal(async(Level::applied));
  EXPECT_EQ(error.code, Errc::invalid_option);
  EXPECT_NE(error.text.find("level applied"), std::string::npos) << error.text;
}

TEST(CompileRule, DurableIsUnsupportedForEveryKind) {
  for (const Rule& rule : {async(Level::durable), sync(Level::durable),
                           semi_sync(1, Level::durable), copies(2, Level::durable)}) {
    const Error error = refusal(rule);
    EXPECT_EQ(error.code, Errc::unsupported);
    EXPECT_NE(error.text.find("level durable"), std::string::npos) << error.text;
  }
}

TEST(CompileRule, FloorRefusesRulesOfFewerCopies) {
  EXPECT_EQ(refusal(async(), 2).text,
            "rule: asks for 1 copies, floor_copies requires at least 2");
  EXPECT_EQ(refusal(semi_sync(1), 3).code, Errc::invalid_option);
  EXPECT_EQ(compile_rule(semi_sync(2), kReplicas, 3).value().count, 2u);
}

TEST(CompileRule, WithoutReplicasOnlyThePrimaryCounts) {
  const std::vector<std::string> none;
  EXPECT_EQ(compile_rule(sync(), none, 1).value().count, 0u);
  EXPECT_EQ(compile_rule(copies(1), none, 1).value().count, 0u);
  EXPECT_EQ(compile_rule(semi_sync(1), none, 1).error().text,
            "rule: needs a replica, this primary has none");
}

TEST(CompileRule, SixtyFourReplicasFit) {
  std::vector<std::string> many;
  for (int i = 0; i < 64; ++i) many.push_back("r" + std::to_string(i));
  EXPECT_EQ(compile_rule(sync(), many, 1).value(), (CompiledRule{Level::received, 64, ~0ull}));
  EXPECT_EQ(compile_rule(any(1, {"r63"}), many, 1).value().members, 1ull << 63);
}

}  // namespace
}  // namespace quorate::core
