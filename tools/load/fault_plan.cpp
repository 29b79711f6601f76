#include "tools/load/fault_plan.h"

#include <algorithm>
#include <utility>

#include "tools/cli/option_set.h"
#include "tools/cli/text.h"

namespace quorate::tools {

namespace {
constexpr std::string_view kUnit = "MiB";
constexpr std::uint64_t kMibMax = 1'000'000;
}  // namespace

std::string_view to_string(Fault::Kind kind) noexcept {
  switch (kind) {
    case Fault::Kind::kill:
      return "kill";
    case Fault::Kind::restart:
      return "restart";
    case Fault::Kind::stop:
      return "stop";
    case Fault::Kind::cont:
      return "cont";
  }
  return "?";
}

Result<Fault> parse_fault(Fault::Kind kind, std::string_view text) {
  const auto parts = split(text, '@');
  std::string_view when = parts.size() == 2 ? parts[1] : "";
  const bool by_bytes = when.ends_with(kUnit);
  if (by_bytes) when.remove_suffix(kUnit.size());
  const auto at_s = parse_number<double>(when);
  const auto at_mib = parse_number<std::uint64_t>(when);
  const bool fits = by_bytes ? at_mib && *at_mib >= 1 && *at_mib <= kMibMax
                             : at_s && *at_s >= 0 && *at_s <= 1e6;
  if (parts[0].empty() || !fits) {
    return Error(Errc::invalid_option,
                 found_allowed(text, "NAME@SECONDS with SECONDS 0…1000000, or NAME@NMiB with "
                                     "N 1…1000000"));
  }
  if (by_bytes) return Fault{kind, std::string(parts[0]), 0, *at_mib << 20};
  return Fault{kind, std::string(parts[0]), *at_s, 0};
}

FaultPlan::FaultPlan(std::vector<Fault> faults) {
  for (Fault& fault : faults) {
    (fault.at_bytes == 0 ? by_time_ : by_bytes_).push_back(std::move(fault));
  }
  std::stable_sort(by_time_.begin(), by_time_.end(),
                   [](const Fault& a, const Fault& b) { return a.at_s < b.at_s; });
  std::reverse(by_time_.begin(), by_time_.end());
  std::stable_sort(by_bytes_.begin(), by_bytes_.end(),
                   [](const Fault& a, const Fault& b) { return a.at_bytes < b.at_bytes; });
}

std::optional<Fault> FaultPlan::due(double elapsed_s, std::uint64_t appended) {
  if (!by_time_.empty() && by_time_.back().at_s <= elapsed_s) {
    Fault fault = std::move(by_time_.back());
    by_time_.pop_back();
    since_[fault.name] = appended;
    return fault;
  }
  const auto next = std::find_if(by_bytes_.begin(), by_bytes_.end(),
                                 [&](const Fault& one) { return is_due(one, appended); });
  if (next == by_bytes_.end()) return std::nullopt;
  Fault fault = std::move(*next);
  by_bytes_.erase(next);
  return fault;
}

bool FaultPlan::is_due(const Fault& fault, std::uint64_t appended) const {
  const bool waits = std::any_of(by_time_.begin(), by_time_.end(),
                                 [&](const Fault& one) { return one.name == fault.name; });
  const auto since = since_.find(fault.name);
  return !waits && appended >= fault.at_bytes + (since == since_.end() ? 0 : since->second);
}

std::optional<Fault> FaultPlan::left() const {
  if (!by_time_.empty()) return by_time_.back();
  if (!by_bytes_.empty()) return by_bytes_.front();
  return std::nullopt;
}

double FaultPlan::wait_s(double elapsed_s) const {
  return by_time_.empty() ? 1e9 : std::max(0.0, by_time_.back().at_s - elapsed_s);
}

}  // namespace quorate::tools
