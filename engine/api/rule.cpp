#include "quorate/rule.h"

#include <charconv>

namespace quorate {

namespace {

Error bad_rule(std::string_view text) {
  return Error(Errc::invalid_option,
               "mode: found \"" + std::string(text) +
                   "\", allowed async, semi_sync, semi_sync:K, sync, any:K:NAME,…, all:NAME,…, "
                   "copies:W");
}

/// The part before the next colon; `text` keeps what is behind it.
std::string_view take_part(std::string_view& text) {
  const std::size_t colon = text.find(':');
  const std::string_view part = text.substr(0, colon);
  text = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  return part;
}

bool read_count(std::string_view text, std::uint32_t& count) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
  return !text.empty() && read.ec == std::errc{} && read.ptr == text.data() + text.size() &&
         count >= 1;
}

bool read_names(std::string_view text, std::vector<std::string>& names) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    names.emplace_back(text.substr(0, comma));
    if (names.back().empty()) return false;
    if (comma == std::string_view::npos) return true;
    text = text.substr(comma + 1);
  }
  return false;
}

}  // namespace

Result<Rule> parse_rule(std::string_view text, Level level) {
  std::string_view rest = text;
  const std::string_view kind = take_part(rest);
  const bool has_rest = kind.size() != text.size();
  if (!has_rest) {
    if (kind == "async") return async(level);
    if (kind == "semi_sync") return semi_sync(1, level);
    if (kind == "sync") return sync(level);
    return bad_rule(text);
  }
  std::uint32_t count = 0;
  std::vector<std::string> names;
  if (kind == "semi_sync" && read_count(rest, count)) return semi_sync(count, level);
  if (kind == "copies" && read_count(rest, count)) return copies(count, level);
  if (kind == "all" && read_names(rest, names)) return all(std::move(names), level);
  if (kind == "any" && read_count(take_part(rest), count)) {
    if (rest.empty()) return semi_sync(count, level);
    if (read_names(rest, names)) return any(count, std::move(names), level);
  }
  return bad_rule(text);
}

std::string to_string(const Rule& rule) {
  std::string names;
  for (const std::string& name : rule.names) names += (names.empty() ? ":" : ",") + name;
  switch (rule.kind) {
    case Rule::Kind::async: return "async";
    case Rule::Kind::all: return rule.names.empty() ? "sync" : "all" + names;
    case Rule::Kind::copies: return "copies:" + std::to_string(rule.count);
    case Rule::Kind::any: break;
  }
  if (rule.names.empty()) return "semi_sync:" + std::to_string(rule.count);
  return "any:" + std::to_string(rule.count) + names;
}

}  // namespace quorate
