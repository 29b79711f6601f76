// Rules about lines of text.

#include <algorithm>
#include <functional>
#include <regex>
#include <set>

#include "tree.h"

namespace quorate::tidy {

namespace {

constexpr std::size_t kColumnsMax = 100;

using Test = std::function<std::string(const SourceFile&, const std::string& line)>;

/// Calls the test for each line; a text that is not empty is a finding.
Findings each_line(const Tree& tree, bool code_only, bool blanked, const Test& test) {
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (code_only && !file.is_code()) continue;
    const auto& lines = blanked ? file.code : file.lines;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (const std::string text = test(file, lines[i]); !text.empty()) {
        findings.push_back({path, i + 1, text});
      }
    }
  }
  return findings;
}

/// Code points, not bytes: every byte that does not continue one.
std::size_t columns(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(
      line.begin(), line.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

Findings long_lines(const Tree& tree) {
  return each_line(tree, true, false, [](const SourceFile&, const std::string& line) {
    const std::size_t width = columns(line);
    return width > kColumnsMax ? std::to_string(width) + " columns" : std::string();
  });
}

Findings tabs(const Tree& tree) {
  return each_line(tree, false, false, [](const SourceFile&, const std::string& line) {
    return std::string(line.find('\t') != std::string::npos ? "a tab" : "");
  });
}

Findings trailing_blanks(const Tree& tree) {
  Findings findings = each_line(tree, false, false, [](const SourceFile&, const std::string& line) {
    const bool bad = !line.empty() && (line.back() == ' ' || line.back() == '\r');
    return std::string(bad ? "blanks at the end" : "");
  });
  for (const auto& [path, file] : tree.files) {
    if (!file.ends_with_newline) findings.push_back({path, file.lines.size(), "no final newline"});
    if (!file.lines.empty() && file.lines.back().empty()) {
      findings.push_back({path, file.lines.size(), "an empty line at the end"});
    }
  }
  return findings;
}

/// Spelt in two parts, so that this file does not break its own rule.
Findings open_ends(const Tree& tree) {
  static const std::regex words("\\b(TO" "DO|FIX" "ME|XX" "X|HA" "CK)\\b");
  return each_line(tree, false, false, [](const SourceFile&, const std::string& line) {
    std::smatch match;
    return std::regex_search(line, match, words) ? match.str() : std::string();
  });
}

Findings banners(const Tree& tree) {
  static const std::regex banner("^\\s*//+\\s*([-=*#~_/])\\1{3,}");
  return each_line(tree, true, false, [](const SourceFile&, const std::string& line) {
    return std::string(std::regex_search(line, banner) ? "a banner" : "");
  });
}

/// A path of the machine on which somebody works says nothing elsewhere.
Findings machine_paths(const Tree& tree) {
  static const std::regex anywhere("(^|[\\s\"'(=:])/(wo" "rk|ho" "me|ro" "ot)/");
  static const std::regex temporary("(^|[\\s\"'(=:])/t" "mp/");
  return each_line(tree, false, false, [](const SourceFile& file, const std::string& line) {
    if (std::regex_search(line, anywhere)) return std::string("a path of one machine");
    const bool may_use_temporary =
        !file.is_code() || is_below(file.path, "tests") || is_below(file.path, "perf");
    const bool bad = !may_use_temporary && std::regex_search(line, temporary);
    return std::string(bad ? "a fixed temporary path" : "");
  });
}

/// Where sleeping is the thing itself and not a way to wait for something else.
const std::set<std::string>& sleepers() {
  static const std::set<std::string> paths = {
      "tests/cluster/cluster.cpp",            // polls another process, which offers nothing else
      "tests/cluster/node/load.cpp",          // a load with pauses
      "tests/cluster/node/replica_role.cpp",  // a replica that is slow on purpose
      "tests/cluster/proxy.cpp",              // a slow network
      "tests/unit/api/rig.cpp",               // polls a condition that only the loops' turns change
  };
  return paths;
}

Findings sleeps(const Tree& tree) {
  static const std::regex sleeping(
      "\\b(sleep_for|sleep_until|usleep|(?:clock_)?nanosleep|sleep(?=\\s*\\(\\s*[0-9]))\\s*\\(");
  return each_line(tree, true, true, [](const SourceFile& file, const std::string& line) {
    const bool watched = is_below(file.path, "tests") || is_below(file.path, "engine");
    if (!watched || sleepers().count(file.path) > 0) return std::string();
    std::smatch match;
    return std::regex_search(line, match, sleeping) ? match.str(1) : std::string();
  });
}

/// The simulation's checkers are compiled without planted bugs: a header that has some would be two
/// things in one program.
Findings planted_bugs(const Tree& tree) {
  static const std::regex planted("\\bQUORATE_MUTANTS?(_AFTER)?\\b");
  return each_line(tree, true, true, [](const SourceFile& file, const std::string& line) {
    if (!file.is_header() || file.path == "engine/base/mutant.h") return std::string();
    std::smatch match;
    return std::regex_search(line, match, planted) ? match.str() : std::string();
  });
}

Findings block_comments(const Tree& tree) {
  return each_line(tree, true, false, [](const SourceFile&, const std::string& line) {
    static const std::regex opens("^\\s*/\\*");
    return std::string(std::regex_search(line, opens) ? "a comment that does not begin with //"
                                                      : "");
  });
}

}  // namespace

std::vector<Rule> text_rules() {
  return {
      {"LinesFit", "at most 100 columns", long_lines},
      {"NoTabs", "blanks, not tabs", tabs},
      {"NoTrailingBlanks", "nothing behind the last character, one newline at the end",
       trailing_blanks},
      {"NoOpenEnds", "work that is left belongs in an issue, not in the code", open_ends},
      {"NoBanners", "comments say why and draw no lines", banners},
      {"NoBlockComments", "comments begin with //", block_comments},
      {"NoMachinePaths", "no path of the machine it was written on", machine_paths},
      {"NoSleeps", "wait for the event, not for time to pass", sleeps},
      {"NoPlantedBugsInHeaders", "bugs are planted in sources only: headers reach the checkers",
       planted_bugs},
  };
}

}  // namespace quorate::tidy
