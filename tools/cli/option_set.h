#pragma once

// The options of one verb: each is read by the same function whether it stands on the command line
// or in a configuration file, so both refuse the same values with the same words. An error is one
// line: where it was found, what was found, what is allowed.

#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "quorate/error.h"
#include "tools/cli/text.h"

namespace CLI {
class App;
}

namespace quorate::tools {

/// Reads a value into its target. Returns "" or what is wrong with it, without the option's name.
using ReadValue = std::function<std::string(std::string_view)>;

/// `found "x", allowed …`
std::string found_allowed(std::string_view found, std::string_view allowed);

class OptionSet {
 public:
  struct Option {
    std::string name;        ///< without dashes: ring-kib
    std::string value_name;  ///< in the help: N; "" makes it a flag
    std::string help;
    ReadValue read;
    bool repeatable = false;
    bool in_file = true;  ///< may stand in a configuration file
    bool on_command_line = false;
    bool given = false;  ///< there or in the file
  };

  OptionSet() = default;
  OptionSet(const OptionSet&) = delete;
  OptionSet& operator=(const OptionSet&) = delete;

  Option& add(std::string name, std::string value_name, std::string help, ReadValue read);
  Option& flag(std::string name, bool& target, std::string help);
  Option& text(std::string name, std::string value_name, std::string& target, std::string help);
  /// Names separated by commas; none may be empty.
  Option& list(std::string name, std::string value_name, std::vector<std::string>& target,
               std::string help);
  Option& real(std::string name, std::string value_name, double& target, double least, double most,
               std::string help);
  template <std::integral Int>
  Option& number(std::string name, std::string value_name, Int& target, Int least, Int most,
                 std::string help) {
    help += default_text(std::to_string(target));
    return add(std::move(name), std::move(value_name), std::move(help),
               [&target, least, most](std::string_view text) -> std::string {
                 const auto value = parse_number<Int>(text);
                 if (!value || *value < least || *value > most) {
                   return found_allowed(text, allowed_range(least, most));
                 }
                 target = *value;
                 return {};
               });
  }

  /// Makes them options of that command. They outlive it.
  void attach(CLI::App& command);
  /// On the command line, or in the file that was read.
  [[nodiscard]] bool given(std::string_view name) const;
  /// The first wrong value of the command line.
  [[nodiscard]] Status problem() const;

  /// One key of a configuration file, in which `ring-kib` is `ring_kib`. What the command line has
  /// given is kept. `where` is file, line and column.
  Status read_key(std::string_view key, std::string_view value, const std::string& where);

 private:
  static std::string default_text(const std::string& value);
  template <std::integral Int>
  static std::string allowed_range(Int least, Int most) {
    return std::to_string(least) + "…" + std::to_string(most);
  }
  void read_argument(Option& option, std::string_view value);

  std::deque<Option> options_;  ///< addresses stay: CLI11's callbacks hold them
  std::string problem_;
};

}  // namespace quorate::tools
