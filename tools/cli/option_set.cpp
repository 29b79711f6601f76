#include "tools/cli/option_set.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

namespace quorate::tools {

namespace {

std::string key_of(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace

std::string found_allowed(std::string_view found, std::string_view allowed) {
  return fmt::format("found \"{}\", allowed {}", found, allowed);
}

std::string OptionSet::default_text(const std::string& value) {
  return fmt::format(" [{}]", value);
}

OptionSet::Option& OptionSet::add(std::string name, std::string value_name, std::string help,
                                  ReadValue read) {
  options_.push_back({std::move(name), std::move(value_name), std::move(help), std::move(read)});
  return options_.back();
}

OptionSet::Option& OptionSet::flag(std::string name, bool& target, std::string help) {
  return add(std::move(name), "", std::move(help), [&target](std::string_view text) -> std::string {
    if (text != "true" && text != "false") return found_allowed(text, "true or false");
    target = text == "true";
    return {};
  });
}

OptionSet::Option& OptionSet::text(std::string name, std::string value_name, std::string& target,
                                   std::string help) {
  if (!target.empty()) help += default_text(target);
  return add(std::move(name), std::move(value_name), std::move(help),
             [&target](std::string_view text) -> std::string {
               target = text;
               return {};
             });
}

OptionSet::Option& OptionSet::list(std::string name, std::string value_name,
                                   std::vector<std::string>& target, std::string help) {
  return add(std::move(name), std::move(value_name), std::move(help),
             [&target](std::string_view text) -> std::string {
               std::vector<std::string> names;
               for (const std::string_view part : split(text, ',')) {
                 if (part.empty()) {
                   return found_allowed(text, "names separated by commas, none empty");
                 }
                 names.emplace_back(part);
               }
               target = std::move(names);
               return {};
             });
}

OptionSet::Option& OptionSet::real(std::string name, std::string value_name, double& target,
                                   double least, double most, std::string help) {
  help += default_text(fmt::format("{}", target));
  return add(std::move(name), std::move(value_name), std::move(help),
             [&target, least, most](std::string_view text) -> std::string {
               const auto value = parse_number<double>(text);
               // Written so that a NaN is refused.
               if (!value || !(*value >= least && *value <= most)) {
                 return found_allowed(text, fmt::format("{}…{}", least, most));
               }
               target = *value;
               return {};
             });
}

void OptionSet::read_argument(Option& option, std::string_view value) {
  option.given = option.on_command_line = true;
  const std::string wrong = option.read(value);
  if (!wrong.empty() && problem_.empty()) problem_ = fmt::format("--{}: {}", option.name, wrong);
}

void OptionSet::attach(CLI::App& command) {
  for (Option& option : options_) {
    const std::string name = "--" + option.name;
    if (option.value_name.empty()) {
      command.add_flag_callback(
          name, [this, &option] { read_argument(option, "true"); }, option.help);
      continue;
    }
    if (!option.repeatable) {
      command
          .add_option_function<std::string>(
              name, [this, &option](const std::string& value) { read_argument(option, value); },
              option.help)
          ->type_name(option.value_name);
      continue;
    }
    command
        .add_option_function<std::vector<std::string>>(
            name,
            [this, &option](const std::vector<std::string>& values) {
              for (const std::string& value : values) read_argument(option, value);
            },
            option.help)
        ->type_name(option.value_name)
        ->allow_extra_args(false);
  }
}

bool OptionSet::given(std::string_view name) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const Option& option) { return option.name == name && option.given; });
}

Status OptionSet::problem() const {
  if (problem_.empty()) return Done{};
  return Error(Errc::invalid_option, problem_);
}

Status OptionSet::read_key(std::string_view key, std::string_view value, const std::string& where) {
  std::string known;
  for (Option& option : options_) {
    if (!option.in_file) continue;
    const std::string own = key_of(option.name);
    if (own != key) {
      known += (known.empty() ? "" : ", ") + own;
      continue;
    }
    if (option.on_command_line) return Done{};
    option.given = true;
    const std::string wrong = option.read(value);
    if (wrong.empty()) return Done{};
    return Error(Errc::invalid_option, fmt::format("{}: {}: {}", where, key, wrong));
  }
  return Error(Errc::invalid_option,
               fmt::format("{}: found unknown key \"{}\", allowed {}", where, key, known));
}

}  // namespace quorate::tools
