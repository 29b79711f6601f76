// Rules about the size of files and functions.

#include <cctype>
#include <regex>

#include "tree.h"

namespace quorate::tidy {

namespace {

constexpr std::size_t kFileLinesMax = 600;
constexpr std::size_t kFunctionLinesMax = 70;

Findings long_files(const Tree& tree) {
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_code() || file.lines.size() <= kFileLinesMax) continue;
    findings.push_back({path, kFileLinesMax + 1, std::to_string(file.lines.size()) + " lines"});
  }
  return findings;
}

/// Finds bodies of functions by their braces. A brace opens a function when it stands in a
/// namespace or a class and the text since the last end of a declaration has parentheses; whatever
/// is inside, lambdas and local classes too, belongs to it.
class FunctionFinder {
 public:
  explicit FunctionFinder(const SourceFile& file) : file_(file) {}

  Findings run() {
    for (line_ = 0; line_ < file_.code.size(); ++line_) {
      const std::string& text = file_.code[line_];
      const std::size_t first = text.find_first_not_of(' ');
      if (first != std::string::npos && text[first] == '#') continue;
      for (const char character : text) take(character);
      take(' ');
    }
    return std::move(findings_);
  }

 private:
  enum class Kind { scope, function, inside };
  struct Brace {
    Kind kind;
    std::size_t begins;
    int parentheses;  ///< open around it
  };

  void take(char character) {
    if (character == '{') return open();
    if (character == '}') return close();
    if (character == '(') ++parentheses_;
    if (character == ')' && parentheses_ > 0) --parentheses_;
    if (character == ';' && parentheses_ == 0) return forget();
    if (head_.empty()) {
      if (std::isspace(static_cast<unsigned char>(character)) != 0) return;
      head_begins_ = line_;
    }
    head_ += character;
  }

  [[nodiscard]] Kind kind_of_head() const {
    static const std::regex container("^(.*\\s)?(namespace|class|struct|union|enum|extern)\\b.*");
    static const std::regex called("\\)\\s*(const|noexcept|override|final|->.*|:.*|\\s)*$");
    if (!open_.empty() && open_.back().kind != Kind::scope) return Kind::inside;
    const bool parenthesis = head_.find('(') != std::string::npos;
    if (std::regex_match(head_, container) && !(parenthesis && std::regex_search(head_, called))) {
      return Kind::scope;
    }
    return parenthesis ? Kind::function : Kind::inside;
  }

  void open() {
    open_.push_back({kind_of_head(), head_begins_, parentheses_});
    parentheses_ = 0;
    forget();
  }

  void close() {
    if (open_.empty()) return;
    const Brace brace = open_.back();
    open_.pop_back();
    parentheses_ = brace.parentheses;
    const std::size_t lines = line_ - brace.begins + 1;
    if (brace.kind == Kind::function && lines > kFunctionLinesMax) {
      findings_.push_back({file_.path, brace.begins + 1,
                           "a function of " + std::to_string(lines) + " lines"});
    }
    forget();
  }

  void forget() { head_.clear(); }

  const SourceFile& file_;
  Findings findings_;
  std::vector<Brace> open_;
  std::string head_;
  std::size_t head_begins_ = 0;
  std::size_t line_ = 0;
  int parentheses_ = 0;
};

Findings long_functions(const Tree& tree) {
  Findings findings;
  for (const auto& [path, file] : tree.files) {
    if (!file.is_code()) continue;
    const Findings found = FunctionFinder(file).run();
    findings.insert(findings.end(), found.begin(), found.end());
  }
  return findings;
}

}  // namespace

std::vector<Rule> shape_rules() {
  return {
      {"FilesAreShort", "at most 600 lines", long_files},
      {"FunctionsAreShort", "at most 70 lines", long_functions},
  };
}

}  // namespace quorate::tidy
