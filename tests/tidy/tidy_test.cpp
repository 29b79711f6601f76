// The rules, applied to this source tree.

#include <gtest/gtest.h>

#include <ostream>

#include "tree.h"

namespace quorate::tidy {

void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.text; }

namespace {

const Tree& source_tree() {
  static const Tree tree = read_tree(QUORATE_SOURCE_DIR);
  return tree;
}

class Tidy : public testing::TestWithParam<Rule> {};

TEST_P(Tidy, TheTreeKeepsTheRule) {
  const Rule& rule = GetParam();
  for (const Finding& finding : rule.check(source_tree())) {
    ADD_FAILURE_AT(finding.path.c_str(), static_cast<int>(finding.line))
        << finding.path << ":" << finding.line << ": " << rule.name << ": " << finding.text << " ("
        << rule.text << ")";
  }
}

std::string rule_name(const testing::TestParamInfo<Rule>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Rules, Tidy, testing::ValuesIn(rules()), rule_name);

TEST(TidyTree, IsTheWholeProject) {
  for (const char* path :
       {"CMakeLists.txt", "engine/reactor/reactor.h", "engine/api/quorate/primary.h",
        "wire/quorate.fbs", "wire/frame.cpp", "tests/tidy/tidy_test.cpp"}) {
    EXPECT_NE(source_tree().find(path), nullptr) << path;
  }
  EXPECT_EQ(source_tree().find("build/CMakeCache.txt"), nullptr);
}

}  // namespace
}  // namespace quorate::tidy
