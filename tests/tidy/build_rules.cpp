// Rules about what the build knows of.

#include <algorithm>
#include <regex>

#include "tree.h"

namespace quorate::tidy {

namespace {

/// A path as CMake would see it from a folder, as a pattern: a variable is any part of a name.
std::string pattern_of(const std::string& folder, std::string word) {
  static const std::regex from_root("^\\$\\{(PROJECT_SOURCE_DIR|CMAKE_SOURCE_DIR)\\}/");
  static const std::regex from_here("^\\$\\{CMAKE_CURRENT_SOURCE_DIR\\}/");
  static const std::regex any("\\*|\\$\\{\\w+\\}");
  static const std::regex up("(^|/)[^/]+/\\.\\./");
  const bool absolute = std::regex_search(word, from_root);
  word = std::regex_replace(std::regex_replace(word, from_root, ""), from_here, "");
  std::string path = absolute || folder.empty() ? word : folder + "/" + word;
  for (std::string before; before != path;) {
    before = path;
    path = std::regex_replace(path, up, "$1", std::regex_constants::format_first_only);
  }
  return std::regex_replace(std::regex_replace(path, std::regex("\\."), "\\."), any, "[^/]*");
}

/// Every source that any CMakeLists.txt names.
std::vector<std::regex> named_sources(const Tree& tree) {
  static const std::regex word("[A-Za-z0-9_./*${}-]+\\.cpp(?![A-Za-z0-9_.])");
  std::vector<std::regex> named;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_cmake()) continue;
    for (const std::string& line : file.lines) {
      const std::string text = line.substr(0, line.find('#'));
      for (std::sregex_iterator it(text.begin(), text.end(), word), end; it != end; ++it) {
        named.emplace_back(pattern_of(folder_of(path), it->str()));
      }
    }
  }
  return named;
}

Findings unknown_sources(const Tree& tree) {
  Findings findings;
  const std::vector<std::regex> named = named_sources(tree);
  for (const auto& [path, file] : tree.files) {
    if (!file.is_source()) continue;
    const bool known = std::any_of(
        named.begin(), named.end(),
        [&source = path](const std::regex& pattern) { return std::regex_match(source, pattern); });
    if (!known) findings.push_back({path, 1, "no CMakeLists.txt names it"});
  }
  return findings;
}

}  // namespace

std::vector<Rule> build_rules() {
  return {{"EverySourceIsBuilt", "each .cpp is named by a CMakeLists.txt", unknown_sources}};
}

}  // namespace quorate::tidy
