#include "tree.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace quorate::tidy {

namespace {

/// Blanks comments, literals and the bodies of macros of one file, character by character.
class Blanker {
 public:
  std::vector<std::string> operator()(const std::vector<std::string>& lines) {
    std::vector<std::string> code;
    bool in_macro = false;
    for (const std::string& line : lines) {
      code.push_back(in_macro ? std::string() : blank(line));
      const bool directive = line.find('#') == line.find_first_not_of(' ') && !line.empty();
      in_macro = (in_macro || directive) && !line.empty() && line.back() == '\\';
    }
    return code;
  }

 private:
  enum class In { code, comment, raw_string };

  std::string blank(const std::string& line) {
    std::string out(line.size(), ' ');
    for (std::size_t i = 0; i < line.size();) {
      if (in_ == In::comment) {
        i = skip_to(line, i, "*/");
      } else if (in_ == In::raw_string) {
        i = skip_to(line, i, raw_end_);
      } else if (line.compare(i, 2, "//") == 0) {
        break;
      } else if (line.compare(i, 2, "/*") == 0) {
        in_ = In::comment;
        i += 2;
      } else if (line.compare(i, 2, "R\"") == 0) {
        const std::size_t open = line.find('(', i);
        raw_end_ = ")" + line.substr(i + 2, open == std::string::npos ? 0 : open - i - 2) + "\"";
        in_ = In::raw_string;
        i = open == std::string::npos ? line.size() : open + 1;
      } else if (line[i] == '"' || is_character(line, i)) {
        out[i] = line[i];
        i = end_of_literal(line, i);
        out[i - 1] = '"';
      } else {
        out[i] = line[i];
        ++i;
      }
    }
    return out;
  }

  std::size_t skip_to(const std::string& line, std::size_t from, const std::string& end) {
    const std::size_t at = line.find(end, from);
    if (at == std::string::npos) return line.size();
    in_ = In::code;
    return at + end.size();
  }

  /// Not the separator of digits in a number.
  static bool is_character(const std::string& line, std::size_t at) {
    return line[at] == '\'' &&
           (at == 0 || std::isalnum(static_cast<unsigned char>(line[at - 1])) == 0);
  }

  static std::size_t end_of_literal(const std::string& line, std::size_t at) {
    const char quote = line[at];
    for (std::size_t i = at + 1; i < line.size(); ++i) {
      if (line[i] == '\\') {
        ++i;
      } else if (line[i] == quote) {
        return i + 1;
      }
    }
    return line.size();
  }

  In in_ = In::code;
  std::string raw_end_;
};

bool is_interesting(const std::filesystem::path& path) {
  static const std::set<std::string> extensions = {".h",     ".cpp", ".txt",  ".cmake",
                                                   ".fbs",   ".md",  ".json", ".in",
                                                   ".proto", ".py",  ".sh",   ".bt"};
  return extensions.count(path.extension().string()) > 0;
}

bool is_left_out(const std::string& path) {
  static const std::set<std::string> folders = {"build", ".git", ".cache", "third_party"};
  return folders.count(path) > 0;
}

}  // namespace

std::string_view SourceFile::name() const {
  return std::string_view(path).substr(path.rfind('/') == std::string::npos ? 0
                                                                            : path.rfind('/') + 1);
}

std::string_view SourceFile::extension() const {
  const std::size_t dot = name().rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name().substr(dot);
}

bool SourceFile::is_cmake() const { return name() == "CMakeLists.txt" || extension() == ".cmake"; }

void Tree::add(std::string path, std::string_view text) {
  SourceFile file;
  file.path = path;
  file.ends_with_newline = text.empty() || text.back() == '\n';
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
  file.code = file.is_code() ? Blanker()(file.lines) : file.lines;
  files[std::move(path)] = std::move(file);
}

const SourceFile* Tree::find(const std::string& path) const {
  const auto found = files.find(path);
  return found == files.end() ? nullptr : &found->second;
}

Tree read_tree(const std::string& root) {
  namespace fs = std::filesystem;
  Tree tree;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::end(it); ++it) {
    const std::string path = fs::relative(it->path(), root).generic_string();
    if (it->is_directory() && is_left_out(path)) it.disable_recursion_pending();
    if (!it->is_regular_file() || !is_interesting(it->path())) continue;
    std::ifstream stream(it->path(), std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    tree.add(path, text.str());
  }
  return tree;
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.substr(0, folder.size()) == folder &&
         path[folder.size()] == '/';
}

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = [] {
    std::vector<Rule> rules;
    for (const auto& part :
         {text_rules(), name_rules(), include_rules(), shape_rules(), build_rules()}) {
      rules.insert(rules.end(), part.begin(), part.end());
    }
    return rules;
  }();
  return all;
}

}  // namespace quorate::tidy
