// Rules about names, as far as they can be told without a parser.

#include <regex>

#include "tree.h"

namespace quorate::tidy {

namespace {

Findings each_match(const Tree& tree, const std::regex& pattern, const std::regex& good_name,
                    const std::string& wanted) {
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_code()) continue;
    for (std::size_t i = 0; i < file.code.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(file.code[i], match, pattern)) continue;
      const std::string name = match.str(match.size() - 1);
      if (!std::regex_match(name, good_name)) {
        findings.push_back({path, i + 1, name + " is not " + wanted});
      }
    }
  }
  return findings;
}

Findings type_names(const Tree& tree) {
  static const std::regex pattern(
      "^\\s*(?:template\\s*<.*>\\s*)?(?:class|struct|union|enum(?:\\s+class|\\s+struct)?)\\s+"
      "(?:alignas\\([^)]*\\)\\s+)?(?:\\[\\[\\w+\\]\\]\\s+)?([A-Za-z_]\\w*)\\s*"
      "(?:final\\s*)?(?::[^:]|\\{)");
  // A coroutine's return type must have a promise_type.
  static const std::regex camel_case("[A-Z][A-Za-z0-9]*|promise_type");
  return each_match(tree, pattern, camel_case, "CamelCase");
}

Findings alias_names(const Tree& tree) {
  static const std::regex pattern("^\\s*using\\s+([A-Za-z_]\\w*)\\s*=");
  // Names that the standard library looks for.
  static const std::regex good("[A-Z][A-Za-z0-9]*|value_type|promise_type|is_transparent|iterator");
  return each_match(tree, pattern, good, "CamelCase");
}

Findings constant_names(const Tree& tree) {
  static const std::regex pattern(
      "^\\s*(?:inline\\s+|static\\s+)*constexpr\\s+(?:const\\s+)?[\\w:<>,\\s\\*&]*?"
      "\\b([A-Za-z_]\\w*)\\s*(?:\\[[^\\]]*\\]\\s*)?(?:=[^=]|\\{|=$)");
  static const std::regex good("k[A-Z]\\w*");
  return each_match(tree, pattern, good, "kName");
}

Findings macro_names(const Tree& tree) {
  static const std::regex pattern("^\\s*#\\s*define\\s+([A-Za-z_]\\w*)");
  static const std::regex upper_case("[A-Z][A-Z0-9_]*");
  return each_match(tree, pattern, upper_case, "UPPER_CASE");
}

Findings file_names(const Tree& tree) {
  static const std::regex good("[a-z0-9_]+\\.(h|cpp)");
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_code()) continue;
    const std::string name(file.name());
    if (!std::regex_match(name, good)) findings.push_back({path, 1, name + " is not snake_case"});
  }
  return findings;
}

Findings pragma_once(const Tree& tree) {
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_header()) continue;
    if (file.lines.empty() || file.lines.front() != "#pragma once") {
      findings.push_back({path, 1, "the first line is not #pragma once"});
    }
  }
  return findings;
}

Findings using_namespace(const Tree& tree) {
  static const std::regex pattern("^\\s*using\\s+namespace\\s+(?!std::\\w*literals)");
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_header()) continue;
    for (std::size_t i = 0; i < file.code.size(); ++i) {
      if (std::regex_search(file.code[i], pattern)) {
        findings.push_back({path, i + 1, "using namespace in a header"});
      }
    }
  }
  return findings;
}

}  // namespace

std::vector<Rule> name_rules() {
  return {
      {"TypesAreCamelCase", "class, struct, union, enum: CamelCase", type_names},
      {"AliasesAreCamelCase", "using Name =", alias_names},
      {"ConstantsAreKName", "constexpr kName", constant_names},
      {"MacrosAreUpperCase", "#define UPPER_CASE", macro_names},
      {"FilesAreSnakeCase", "snake_case.h, snake_case.cpp", file_names},
      {"HeadersArePragmaOnce", "#pragma once in the first line", pragma_once},
      {"NoUsingNamespaceInHeaders", "a header forces no names on others", using_namespace},
  };
}

}  // namespace quorate::tidy
