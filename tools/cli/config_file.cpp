#include "tools/cli/config_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace quorate::tools {

namespace {

std::string place(const std::string& name, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", name, source.begin.line, source.begin.column);
}

/// The value as it would stand on the command line.
std::optional<std::string> argument_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  const auto* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::string joined;
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) return std::nullopt;
    if (&element != array->get(0)) joined += ',';
    joined += text->get();
  }
  return joined;
}

}  // namespace

Status read_config_text(const std::string& text, const std::string& name, OptionSet& options) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    return Error(Errc::invalid_option, fmt::format("{}: {}", place(name, parsed.error().source()),
                                                   parsed.error().description()));
  }
  for (const auto& [key, node] : parsed.table()) {
    const auto value = argument_text(node);
    if (!value) {
      return Error(Errc::invalid_option,
                   fmt::format("{}: {}: found a value of another type, allowed text, a number, "
                               "true, false or an array of texts",
                               place(name, node.source()), key.str()));
    }
    const Status read = options.read_key(key.str(), *value, place(name, key.source()));
    if (!read) return read;
  }
  return Done{};
}

Status read_config_file(const std::string& path, OptionSet& options) {
  errno = 0;
  std::ifstream file(path);
  // A stream reports what its buffer's iterators would throw, such as reading a directory.
  file.peek();
  if (const int number = errno; number != 0) {
    return Error(Errc::invalid_option,
                 fmt::format("--config: cannot read {}: {}", path, std::strerror(number)), number);
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return read_config_text(text, path, options);
}

}  // namespace quorate::tools
