#include "tools/load/fault_plan.h"

#include <algorithm>
#include <utility>

#include "tools/cli/option_set.h"
#include "tools/cli/text.h"

namespace quorate::tools {

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
  const auto at_s = parse_number<double>(parts.size() == 2 ? parts[1] : "");
  if (parts[0].empty() || !at_s || !(*at_s >= 0 && *at_s <= 1e6)) {
    return Error(Errc::invalid_option, found_allowed(text, "NAME@SECONDS with SECONDS 0…1000000"));
  }
  return Fault{kind, std::string(parts[0]), *at_s};
}

FaultPlan::FaultPlan(std::vector<Fault> faults) : faults_(std::move(faults)) {
  std::stable_sort(faults_.begin(), faults_.end(),
                   [](const Fault& a, const Fault& b) { return a.at_s < b.at_s; });
}

const Fault* FaultPlan::due(double elapsed_s) {
  if (next_ == faults_.size() || faults_[next_].at_s > elapsed_s) return nullptr;
  return &faults_[next_++];
}

double FaultPlan::wait_s(double elapsed_s) const {
  return next_ == faults_.size() ? 1e9 : std::max(0.0, faults_[next_].at_s - elapsed_s);
}

}  // namespace quorate::tools
