// Each rule finds what it is there for, and lets similar good code pass.

#include <gtest/gtest.h>

#include <string>

#include "tree.h"

namespace quorate::tidy {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

/// "path:line" of everything that the rule finds in these files.
std::vector<std::string> found(const std::string& rule_name, const Files& files) {
  Tree tree;
  for (const auto& [path, text] : files) tree.add(path, text);
  std::vector<std::string> places;
  for (const Rule& rule : rules()) {
    if (rule.name != rule_name) continue;
    for (const Finding& finding : rule.check(tree)) {
      places.push_back(finding.path + ":" + std::to_string(finding.line));
    }
    return places;
  }
  ADD_FAILURE() << "there is no rule " << rule_name;
  return places;
}

std::vector<std::string> found_in(const std::string& rule, const std::string& text) {
  return found(rule, {{"engine/base/a.cpp", text}});
}

using Places = std::vector<std::string>;
const Places kNone;
const Places kFirst = {"engine/base/a.cpp:1"};
const Places kSecond = {"engine/base/a.cpp:2"};

std::string lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += "  x();\n";
  return text;
}

TEST(Rules, LinesFit) {
  EXPECT_EQ(found_in("LinesFit", "\n" + std::string(101, 'x') + "\n"), kSecond);
  EXPECT_EQ(found_in("LinesFit", std::string(100, 'x') + "\n"), kNone);
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "ü";
  EXPECT_EQ(found_in("LinesFit", umlauts + "\n"), kNone);
  EXPECT_EQ(found_in("LinesFit", umlauts + "ü\n"), kFirst);
}

TEST(Rules, NoTabs) {
  EXPECT_EQ(found_in("NoTabs", "int a;\n\tint b;\n"), kSecond);
  EXPECT_EQ(found_in("NoTabs", "auto tab = \"\\t\";\n"), kNone);
}

TEST(Rules, NoTrailingBlanks) {
  EXPECT_EQ(found_in("NoTrailingBlanks", "int a;\nint b; \n"), kSecond);
  EXPECT_EQ(found_in("NoTrailingBlanks", "int a;\nint b;"), kSecond);
  EXPECT_EQ(found_in("NoTrailingBlanks", "int a;\n\n"), kSecond);
  EXPECT_EQ(found_in("NoTrailingBlanks", "int a;\r\n"), kFirst);
  EXPECT_EQ(found_in("NoTrailingBlanks", "int a;\n\nint b;\n"), kNone);
}

TEST(Rules, NoOpenEnds) {
  EXPECT_EQ(found_in("NoOpenEnds", "// TO" "DO: later\n"), kFirst);
  EXPECT_EQ(found_in("NoOpenEnds", "// FIX" "ME\n"), kFirst);
  EXPECT_EQ(found_in("NoOpenEnds", "int a;  // XX" "X\n"), kFirst);
  EXPECT_EQ(found_in("NoOpenEnds", "// todos of others, XXXL\n"), kNone);
}

TEST(Rules, NoBannersNoBlocks) {
  EXPECT_EQ(found_in("NoBanners", "// ======\n"), kFirst);
  EXPECT_EQ(found_in("NoBanners", "  //-----\n"), kFirst);
  EXPECT_EQ(found_in("NoBanners", "// a - b == c\n"), kNone);
  EXPECT_EQ(found_in("NoBlockComments", "/* text */\n"), kFirst);
  EXPECT_EQ(found_in("NoBlockComments", "f(/* no */ a);\n"), kNone);
}

TEST(Rules, NoMachinePaths) {
  EXPECT_EQ(found_in("NoMachinePaths", "open(\"/wo" "rk/data\");\n"), kFirst);
  EXPECT_EQ(found_in("NoMachinePaths", "// see /ho" "me/me/x\n"), kFirst);
  EXPECT_EQ(found_in("NoMachinePaths", "open(\"/t" "mp/x\");\n"), kFirst);
  EXPECT_EQ(found("NoMachinePaths", {{"tests/a.cpp", "open(\"/t" "mp/x\");\n"}}), kNone);
  EXPECT_EQ(found_in("NoMachinePaths", "https://x.org/wo" "rk/\n#include \"net/ho" "me/a.h\"\n"),
            kNone);
}

TEST(Rules, NoSleeps) {
  EXPECT_EQ(found_in("NoSleeps", "std::this_thread::sleep_for(1s);\n"), kFirst);
  EXPECT_EQ(found("NoSleeps", {{"tests/a.cpp", "usleep(5);\n"}}), Places{"tests/a.cpp:1"});
  EXPECT_EQ(found_in("NoSleeps", "\n::sleep(1);\n"), kSecond);
  EXPECT_EQ(found("NoSleeps", {{"tools/a.cpp", "usleep(5);\n"}}), kNone);
  EXPECT_EQ(found_in("NoSleeps", "// no sleep(1)\nlog(\"sleep(1)\"); go_to_sleep(a);\n"), kNone);
  EXPECT_EQ(found_in("NoSleeps", "shard.sleep(until);\n"), kNone);
}

TEST(Rules, NoPlantedBugsInHeaders) {
  const auto found_at = [](const std::string& path, const std::string& text) {
    return found("NoPlantedBugsInHeaders", {{path, text}});
  };
  for (const char* bug : {"  if (QUORATE_MUTANT(a)) return;\n",
                          "  if (QUORATE_MUTANT_AFTER(a, 9)) b();\n",
                          "#ifdef QUORATE_MUTANTS\n"}) {
    EXPECT_EQ(found_at("engine/base/a.h", bug), Places{"engine/base/a.h:1"}) << bug;
    EXPECT_EQ(found_at("engine/base/a.cpp", bug), kNone) << bug;
    EXPECT_EQ(found_at("engine/base/mutant.h", bug), kNone) << bug;
  }
  EXPECT_EQ(found_at("engine/base/a.h", "// as QUORATE_MUTANT(a) says\nint b;\n"), kNone);
}

TEST(Rules, Names) {
  EXPECT_EQ(found_in("TypesAreCamelCase", "class my_type {\n"), kFirst);
  EXPECT_EQ(found_in("TypesAreCamelCase", "enum class color : int {\n"), kFirst);
  EXPECT_EQ(found_in("TypesAreCamelCase",
                     "class MyType final : public X {\nstruct sockaddr* a;\n  struct {\n"
                     "#define A(name) \\\n  class name : public B {};\n"),
            kNone);
  EXPECT_EQ(found_in("AliasesAreCamelCase", "using bytes = int;\n"), kFirst);
  EXPECT_EQ(found_in("AliasesAreCamelCase", "using Bytes = int;\nusing std::move;\n"), kNone);
  EXPECT_EQ(found_in("ConstantsAreKName", "constexpr int limit = 3;\n"), kFirst);
  EXPECT_EQ(found_in("ConstantsAreKName", "  static constexpr std::array<int, 2> LIMITS{1};\n"),
            kFirst);
  EXPECT_EQ(found_in("ConstantsAreKName",
                     "inline constexpr int kLimit = 3;\nconstexpr int twice(int a) { return a; }\n"
                     "if constexpr (a == b) {\nconstexpr explicit X(int a = 3) {}\n"),
            kNone);
  EXPECT_EQ(found_in("MacrosAreUpperCase", "#define check(x) x\n"), kFirst);
  EXPECT_EQ(found_in("MacrosAreUpperCase", "#define CHECK(x) x\n"), kNone);
  EXPECT_EQ(found("FilesAreSnakeCase", {{"engine/MyFile.cpp", ""}}),
            Places{"engine/MyFile.cpp:1"});
}

TEST(Rules, Headers) {
  EXPECT_EQ(found("HeadersArePragmaOnce", {{"a.h", "int a;\n"}}), Places{"a.h:1"});
  EXPECT_EQ(found("HeadersArePragmaOnce", {{"a.h", "#pragma once\n"}, {"a.cpp", ""}}), kNone);
  EXPECT_EQ(found("NoUsingNamespaceInHeaders", {{"a.h", "\nusing namespace std;\n"}}),
            Places{"a.h:2"});
  EXPECT_EQ(found("NoUsingNamespaceInHeaders",
                  {{"a.cpp", "using namespace x;\n"},
                   {"a.h", "using namespace std::chrono_literals;\n"}}),
            kNone);
}

Files with(const std::string& path, const std::string& include) {
  return {{path, "#include \"" + include + "\"\n"},
          {"engine/base/time.h", ""},
          {"engine/core/message.h", ""},
          {"engine/core/quorum.h", ""},
          {"engine/reactor/reactor.h", ""},
          {"engine/transport/codec.h", ""},
          {"engine/shard/shard.h", ""},
          {"engine/api/quorate/types.h", ""},
          {"wire/frame.h", ""},
          {"wire/verify.h", "#include \"wire/quorate_generated.h\"\n"}};
}

TEST(Rules, FoldersKnowWhatTheyMay) {
  const std::pair<const char*, const char*> bad[] = {
      {"engine/base/a.h", "reactor/reactor.h"},      {"engine/core/a.h", "wire/frame.h"},
      {"engine/core/a.h", "reactor/reactor.h"},      {"engine/reactor/a.h", "wire/frame.h"},
      {"engine/transport/a.h", "core/quorum.h"},     {"engine/transport/a.h", "shard/shard.h"},
      {"engine/api/quorate/a.h", "base/time.h"},     {"wire/a.h", "base/time.h"},
      {"tools/a.cpp", "shard/shard.h"},              {"bench/end_to_end/a.cpp", "wire/frame.h"},
      {"engine/log/a.h", "transport/codec.h"},       {"engine/transport/a.h", "log/log.h"}};
  for (const auto& [path, include] : bad) {
    EXPECT_EQ(found("FoldersKnowWhatTheyMay", with(path, include)),
              Places{std::string(path) + ":1"})
        << include;
  }
  const std::pair<const char*, const char*> good[] = {
      {"engine/base/a.h", "quorate/types.h"},       {"engine/core/a.h", "base/time.h"},
      {"engine/transport/a.h", "core/message.h"},   {"engine/transport/a.h", "wire/frame.h"},
      {"engine/shard/a.h", "transport/codec.h"},    {"tools/a.cpp", "quorate/types.h"},
      {"tests/a.cpp", "shard/shard.h"},             {"bench/micro/a.cpp", "wire/frame.h"},
      {"engine/api/quorate/a.h", "quorate/types.h"}};
  for (const auto& [path, include] : good) {
    EXPECT_EQ(found("FoldersKnowWhatTheyMay", with(path, include)), kNone) << path;
  }
}

TEST(Rules, SystemHeadersStayInTheirFolders) {
  const std::pair<const char*, const char*> bad[] = {
      {"engine/core/a.h", "atomic"},          {"engine/core/a.cpp", "thread"},
      {"engine/core/a.cpp", "time.h"},        {"engine/api/quorate/a.h", "sys/uio.h"},
      {"engine/shard/a.h", "liburing.h"},     {"engine/transport/codec.cpp", "flatbuffers/x.h"},
      {"wire/a.cpp", "sys/socket.h"}};
  for (const auto& [path, include] : bad) {
    EXPECT_EQ(found("SystemHeadersStayInTheirFolders",
                    {{path, std::string("#include <") + include + ">\n"}}),
              Places{std::string(path) + ":1"})
        << include;
  }
  EXPECT_EQ(found("SystemHeadersStayInTheirFolders",
                  {{"engine/core/a.h", "#include <vector>\n"},
                   {"engine/reactor/a.h", "#include <liburing.h>\n"},
                   {"wire/a.h", "#include <flatbuffers/flatbuffers.h>\n"}}),
            kNone);
}

TEST(Rules, SchemaStaysInWire) {
  EXPECT_EQ(found("SchemaStaysInWire", with("engine/transport/a.cpp", "wire/verify.h")),
            Places{"engine/transport/a.cpp:1"});
  EXPECT_EQ(found("SchemaStaysInWire", with("engine/shard/a.cpp", "wire/quorate_generated.h")),
            Places{"engine/shard/a.cpp:1"});
  EXPECT_EQ(found("SchemaStaysInWire", with("engine/transport/codec.cpp", "wire/verify.h")), kNone);
  EXPECT_EQ(found("SchemaStaysInWire", with("engine/transport/a.cpp", "wire/frame.h")), kNone);
}

TEST(Rules, NoIncludeCycles) {
  EXPECT_EQ(found("NoIncludeCycles", {{"engine/base/a.h", "\n#include \"base/b.h\"\n"},
                                      {"engine/base/b.h", "#include \"base/c.h\"\n"},
                                      {"engine/base/c.h", "#include \"a.h\"\n"}}),
            Places{"engine/base/c.h:1"});
  EXPECT_EQ(found("NoIncludeCycles", {{"engine/base/a.h", "#include \"base/b.h\"\n"},
                                      {"engine/base/b.h", "#include \"base/c.h\"\n"},
                                      {"engine/base/c.h", "#include <a.h>\n"},
                                      {"engine/base/d.h", "#include \"base/c.h\"\n"}}),
            kNone);
}

TEST(Rules, FilesAreShort) {
  EXPECT_EQ(found_in("FilesAreShort", lines(601)), Places{"engine/base/a.cpp:601"});
  EXPECT_EQ(found_in("FilesAreShort", lines(600)), kNone);
}

TEST(Rules, FunctionsAreShort) {
  const std::string rule = "FunctionsAreShort";
  const auto in_namespace = [](const std::string& text) {
    return "namespace a {\n" + text + "}\n";
  };
  EXPECT_EQ(found_in(rule, in_namespace("int f(int a) {\n" + lines(69) + "}\n")), kSecond);
  EXPECT_EQ(found_in(rule, in_namespace("int f(int a) {\n" + lines(68) + "}\n")), kNone);
  EXPECT_EQ(found_in(rule, in_namespace("auto A::f(\n  int b) const -> int\n{\n" + lines(67) +
                                        "}\n")),
            kSecond);
  EXPECT_EQ(found_in(rule, in_namespace("TEST(A, B) {\n  run([&] {\n" + lines(67) + "  });\n}\n")),
            kSecond);
  EXPECT_EQ(found_in(rule, "class A final : public B<int()> {\n  int f() override {\n" +
                               lines(69) + "  }\n};\n"),
            kSecond);
  EXPECT_EQ(found_in(rule, "\nA::A(int b) : b_(b),\n  c_(b) {\n" + lines(69) + "}\n"), kSecond);
  EXPECT_EQ(found_in(rule, "\nstruct X f(struct Y y) {\n" + lines(69) + "}\n"), kSecond);
  // Many short ones, a long class, a long table, braces in literals and macros.
  std::string shorts;
  for (int i = 0; i < 40; ++i) shorts += "int f() {\n  if (a) { b(); }\n}\n";
  EXPECT_EQ(found_in(rule, in_namespace(shorts)), kNone);
  EXPECT_EQ(found_in(rule, "class A {\n" + shorts + "};\n"), kNone);
  EXPECT_EQ(found_in(rule, "constexpr int kTable[] = {\n" + lines(80) + "};\n"), kNone);
  EXPECT_EQ(found_in(rule, "int f() {\n  a(\"{\", '{');  // {\n}\n" + lines(80)), kNone);
  EXPECT_EQ(found_in(rule, "#define A(x) \\\n  f(x) {\nint g();\n" + lines(80)), kNone);
  EXPECT_EQ(found_in(rule, "auto t = R\"(int f() {)\";\n" + lines(80) + "int g() {}\n"), kNone);
}

TEST(Rules, EverySourceIsBuilt) {
  const std::string rule = "EverySourceIsBuilt";
  const auto with_cmake = [&](const std::string& folder, const std::string& text) {
    return found(rule, {{"a/b/c.cpp", ""}, {folder + "CMakeLists.txt", text}});
  };
  for (const char* text : {"add(x.cpp bc.cpp)\n", "# b/c.cpp\n", "file(GLOB x *.cpp)\n",
                           "add(c.cpp)\n", "add(b/c.cpp.in)\n", "add(${b}.cpp)\n"}) {
    EXPECT_EQ(with_cmake("a/", text), Places{"a/b/c.cpp:1"}) << text;
  }
  EXPECT_EQ(with_cmake("a/b/", "add(\n  c.cpp)\n"), kNone);
  EXPECT_EQ(with_cmake("a/b/", "add(${c}.cpp)\n"), kNone);
  EXPECT_EQ(with_cmake("a/", "add(${CMAKE_CURRENT_SOURCE_DIR}/b/c.cpp)\n"), kNone);
  EXPECT_EQ(with_cmake("a/", "file(GLOB x b/*.cpp)\n"), kNone);
  EXPECT_EQ(with_cmake("", "add(a/b/c.cpp)\n"), kNone);
  EXPECT_EQ(with_cmake("d/e/", "add(${PROJECT_SOURCE_DIR}/a/b/c.cpp)\n"), kNone);
  EXPECT_EQ(with_cmake("a/e/", "add(../b/c.cpp)\n"), kNone);
}

TEST(Rules, EachHasATestHere) {
  // A rule that is added needs a bad sample; this list is what the tests above cover.
  const std::vector<std::string> covered = {
      "LinesFit", "NoTabs", "NoTrailingBlanks", "NoOpenEnds", "NoBanners", "NoBlockComments",
      "NoMachinePaths", "NoSleeps", "NoPlantedBugsInHeaders", "TypesAreCamelCase",
      "AliasesAreCamelCase", "ConstantsAreKName", "MacrosAreUpperCase", "FilesAreSnakeCase",
      "HeadersArePragmaOnce", "NoUsingNamespaceInHeaders", "FoldersKnowWhatTheyMay",
      "SystemHeadersStayInTheirFolders", "SchemaStaysInWire", "NoIncludeCycles", "FilesAreShort",
      "FunctionsAreShort", "EverySourceIsBuilt"};
  std::vector<std::string> names;
  for (const Rule& rule : rules()) names.emplace_back(rule.name);
  EXPECT_EQ(names, covered);
}

}  // namespace
}  // namespace quorate::tidy
