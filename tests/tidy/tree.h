#pragma once

// The source tree as the rules see it: lines of text, and the same lines with comments, literals
// and continued macros blanked, so that a rule about code does not read prose.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::tidy {

struct SourceFile {
  std::string path;  ///< relative to the root, with '/'
  std::vector<std::string> lines;
  std::vector<std::string> code;  ///< as many lines; what is no code replaced by blanks
  bool ends_with_newline = true;

  [[nodiscard]] std::string_view extension() const;
  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] bool is_header() const { return extension() == ".h"; }
  [[nodiscard]] bool is_source() const { return extension() == ".cpp"; }
  [[nodiscard]] bool is_code() const { return is_header() || is_source(); }
  [[nodiscard]] bool is_cmake() const;
};

struct Tree {
  std::map<std::string, SourceFile> files;

  void add(std::string path, std::string_view text);
  [[nodiscard]] const SourceFile* find(const std::string& path) const;
};

/// Everything of the project below `root`: not what is built, fetched or recorded.
Tree read_tree(const std::string& root);

[[nodiscard]] bool is_below(std::string_view path, std::string_view folder);
[[nodiscard]] std::string folder_of(std::string_view path);

/// One place that breaks a rule.
struct Finding {
  std::string path;
  std::size_t line = 0;  ///< from 1
  std::string text;
};
using Findings = std::vector<Finding>;

struct Rule {
  const char* name;
  const char* text;  ///< what is demanded
  Findings (*check)(const Tree& tree);
};

/// All rules, in the order in which they are tested.
const std::vector<Rule>& rules();

std::vector<Rule> text_rules();
std::vector<Rule> name_rules();
std::vector<Rule> include_rules();
std::vector<Rule> shape_rules();
std::vector<Rule> build_rules();

}  // namespace quorate::tidy
