// Rules about who may include what: the picture in engine/README.md.

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <regex>
#include <set>

#include "tree.h"

namespace quorate::tidy {

namespace {

constexpr const char* kGenerated = "wire/quorate_generated.h";
constexpr const char* kVocabulary = "engine/api/quorate";

struct Include {
  std::size_t line;
  std::string name;  ///< as written
  bool system;
  std::string path;  ///< of the file in the tree, or the name where there is none
};

std::vector<Include> includes_of(const Tree& tree, const SourceFile& file) {
  static const std::regex pattern("^\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"]");
  std::vector<Include> includes;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    std::smatch match;
    if (!std::regex_search(file.lines[i], match, pattern)) continue;
    Include include{i + 1, match.str(2), match.str(1) == "<", match.str(2)};
    const std::string own = folder_of(file.path) + "/" + include.name;
    for (const std::string& path : {own, "engine/" + include.name, "engine/api/" + include.name}) {
      if (!include.system && tree.find(path) != nullptr) {
        include.path = path;
        break;
      }
    }
    includes.push_back(include);
  }
  return includes;
}

/// What the files of one folder may include from the tree: folders, or single files.
struct Allowance {
  const char* folder;
  std::vector<std::string> allowed;
};

const std::vector<Allowance>& allowances() {
  static const std::vector<Allowance> table = {
      {kVocabulary, {kVocabulary}},
      {"engine/api",
       {"engine/api", "engine/shard", "engine/base", "engine/reactor", "engine/core/message.h"}},
      {"engine/base", {"engine/base", kVocabulary}},
      {"engine/core", {"engine/core", "engine/base", kVocabulary}},
      {"engine/reactor", {"engine/reactor", "engine/base", kVocabulary}},
      {"engine/log",
       {"engine/log", "engine/reactor", "engine/base", "wire", kVocabulary}},
      {"engine/transport",
       {"engine/transport", "engine/reactor", "engine/base", "engine/core/message.h", "wire",
        kVocabulary}},
      {"engine/shard", {"engine", "wire"}},
      {"wire", {"wire"}},
      {"tools/log", {"tools", "engine/log", "engine/reactor", "wire", kVocabulary}},
      {"tools", {"tools", kVocabulary}},
      {"bench/end_to_end", {"bench/end_to_end", "tools/process", kVocabulary}},
  };
  return table;
}

const Allowance* allowance_of(const std::string& path) {
  for (const Allowance& allowance : allowances()) {
    if (is_below(path, allowance.folder)) return &allowance;
  }
  return nullptr;
}

Findings folders(const Tree& tree) {
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    const Allowance* allowance = file.is_code() ? allowance_of(path) : nullptr;
    if (allowance == nullptr) continue;
    for (const Include& include : includes_of(tree, file)) {
      if (include.system) continue;
      const auto& allowed = allowance->allowed;
      const bool good = std::any_of(allowed.begin(), allowed.end(), [&](const std::string& entry) {
        return include.path == entry || is_below(include.path, entry);
      });
      if (!good) {
        findings.push_back({path, include.line,
                            std::string(allowance->folder) + " must not know " + include.name});
      }
    }
  }
  return findings;
}

/// System headers that a folder must not see, each with the reason.
Findings system_headers(const Tree& tree) {
  static const std::regex standard("[a-z_]+");
  static const std::regex clocks_threads(
      "atomic|thread|mutex|shared_mutex|condition_variable|future|barrier|latch|semaphore|ctime|"
      "stop_token|time\\.h|unistd\\.h|sys/.*|linux/.*|pthread\\.h");
  static const std::regex operating_system("sys/.*|linux/.*|unistd\\.h|netinet/.*|liburing\\.h");
  static const std::regex flatbuffers("flatbuffers/.*");
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_code()) continue;
    for (const Include& include : includes_of(tree, file)) {
      if (!include.system) continue;
      const auto is = [&](const std::regex& set) { return std::regex_match(include.name, set); };
      std::string text;
      if (is_below(path, kVocabulary) && !is(standard)) text = "public headers include only std";
      if (is_below(path, "engine/core") && is(clocks_threads)) text = "core is sans-I/O";
      if (is_below(path, "wire") && is(operating_system)) text = "wire is bytes only";
      if (is_below(path, "engine") && is(flatbuffers)) text = "FlatBuffers stays in wire";
      if (is_below(path, "engine") && !is_below(path, "engine/reactor") &&
          include.name == "liburing.h") {
        text = "io_uring stays in reactor";
      }
      if (!text.empty()) findings.push_back({path, include.line, text + ": " + include.name});
    }
  }
  return findings;
}

/// Files that may see the generated schema, directly or through a header.
bool may_see_schema(const std::string& path) {
  return is_below(path, "wire") || is_below(path, "tests") || is_below(path, "bench/micro") ||
         path == "engine/transport/codec.cpp";
}

Findings schema(const Tree& tree) {
  std::set<std::string> reaching = {kGenerated};
  for (std::size_t before = 0; before != reaching.size();) {
    before = reaching.size();
    for (const auto& [path, file] : tree.files) {
      if (!file.is_header()) continue;
      for (const Include& include : includes_of(tree, file)) {
        if (reaching.count(include.path) > 0) reaching.insert(path);
      }
    }
  }
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_code() || may_see_schema(path)) continue;
    for (const Include& include : includes_of(tree, file)) {
      if (reaching.count(include.path) == 0) continue;
      findings.push_back({path, include.line, "sees the generated schema: " + include.name});
    }
  }
  return findings;
}

/// Depth-first; a header met again while its own includes are being followed closes a circle.
class CycleSearch {
 public:
  explicit CycleSearch(const Tree& tree) : tree_(tree) {}

  Findings run() {
    for (const auto& [path, file] : tree_.files) {
      if (file.is_code()) visit(path);
    }
    return std::move(findings_);
  }

 private:
  void visit(const std::string& path) {
    if (done_.count(path) > 0) return;
    open_.push_back(path);
    for (const Include& include : includes_of(tree_, *tree_.find(path))) {
      if (include.system || tree_.find(include.path) == nullptr) continue;
      const auto circle = std::find(open_.begin(), open_.end(), include.path);
      if (circle == open_.end()) {
        visit(include.path);
        continue;
      }
      std::string text = "a circle:";
      for (auto it = circle; it != open_.end(); ++it) text += " " + *it;
      findings_.push_back({path, include.line, text});
    }
    open_.pop_back();
    done_.insert(path);
  }

  const Tree& tree_;
  Findings findings_;
  std::vector<std::string> open_;
  std::set<std::string> done_;
};

Findings cycles(const Tree& tree) { return CycleSearch(tree).run(); }

}  // namespace

std::vector<Rule> include_rules() {
  return {
      {"FoldersKnowWhatTheyMay", "the picture in engine/README.md", folders},
      {"SystemHeadersStayInTheirFolders", "who may see threads, clocks, sockets, libraries",
       system_headers},
      {"SchemaStaysInWire", "only wire and transport/codec.cpp see generated code", schema},
      {"NoIncludeCycles", "includes form no circle", cycles},
  };
}

}  // namespace quorate::tidy
