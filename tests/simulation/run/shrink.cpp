#include "tests/simulation/run/shrink.h"

#include <algorithm>
#include <charconv>

namespace quorate::simulation {

namespace {

bool still_fails(const Plan& plan, const Cuts& cuts,
                 const std::function<bool(const Plan&)>& fails) {
  Plan smaller = plan;
  cuts.apply(smaller);
  return fails(smaller);
}

bool read_number(const char*& at, const char* end, std::uint32_t& number) {
  const auto [next, error] = std::from_chars(at, end, number);
  at = next;
  return error == std::errc();
}

/// Zeller's ddmin: leaves out parts, first large ones, then ever smaller ones.
void leave_out_episodes(const Plan& plan, Cuts& cuts,
                        const std::function<bool(const Plan&)>& fails,
                        const std::function<void(const std::string&)>& progress) {
  for (std::size_t part = std::max<std::size_t>(cuts.episodes.size() / 2, 1);;) {
    bool smaller = false;
    for (std::size_t begin = 0; begin < cuts.episodes.size();) {
      Cuts attempt = cuts;
      const std::size_t end = std::min(begin + part, attempt.episodes.size());
      attempt.episodes.erase(attempt.episodes.begin() + static_cast<std::ptrdiff_t>(begin),
                             attempt.episodes.begin() + static_cast<std::ptrdiff_t>(end));
      if (still_fails(plan, attempt, fails)) {
        cuts = attempt;
        smaller = true;
        progress(std::to_string(cuts.episodes.size()) + " episodes are enough");
      } else {
        begin = end;
      }
    }
    if (part == 1 && !smaller) return;
    if (!smaller || part > cuts.episodes.size()) part = std::max<std::size_t>(part / 2, 1);
  }
}

void shorten(const Plan& plan, Cuts& cuts, const std::function<bool(const Plan&)>& fails,
             const std::function<void(const std::string&)>& progress) {
  std::uint32_t high = static_cast<std::uint32_t>(plan.horizon / kSecond_ns);
  std::uint32_t low = 0;
  while (high - low > 1) {
    Cuts attempt = cuts;
    attempt.until_s = low + (high - low) / 2;
    if (still_fails(plan, attempt, fails)) {
      cuts = attempt;
      high = attempt.until_s;
      progress(std::to_string(high) + " s are enough");
    } else {
      low = attempt.until_s;
    }
  }
}

}  // namespace

void Cuts::apply(Plan& plan) const {
  if (until_s != 0) plan.horizon = std::min<Instant>(plan.horizon, until_s * kSecond_ns);
  if (!chosen) return;
  std::vector<Episode> kept;
  for (const std::uint32_t index : episodes) {
    if (index < plan.episodes.size()) kept.push_back(plan.episodes[index]);
  }
  plan.episodes = std::move(kept);
}

std::string Cuts::to_string() const {
  std::string text = std::to_string(until_s) + "s";
  if (!chosen) return text;
  text += ":";
  for (const std::uint32_t index : episodes) {
    if (text.back() != ':') text += ',';
    text += std::to_string(index);
  }
  return text;
}

bool Cuts::parse(const std::string& text, Cuts& cuts) {
  cuts = {};
  const char* at = text.data();
  const char* end = at + text.size();
  if (!read_number(at, end, cuts.until_s) || at == end || *at++ != 's') return false;
  if (at == end) return true;
  if (*at++ != ':') return false;
  cuts.chosen = true;
  while (at != end) {
    std::uint32_t index = 0;
    if (!read_number(at, end, index)) return false;
    if (!cuts.episodes.empty() && index <= cuts.episodes.back()) return false;
    cuts.episodes.push_back(index);
    if (at != end && (*at++ != ',' || at == end)) return false;
  }
  return true;
}

Cuts shrink(const Plan& plan, const std::function<bool(const Plan&)>& fails,
            const std::function<void(const std::string&)>& progress) {
  Cuts cuts;
  shorten(plan, cuts, fails, progress);
  cuts.chosen = true;
  for (std::uint32_t i = 0; i < plan.episodes.size(); ++i) cuts.episodes.push_back(i);
  leave_out_episodes(plan, cuts, fails, progress);
  return cuts;
}

}  // namespace quorate::simulation
