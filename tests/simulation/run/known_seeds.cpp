#include "tests/simulation/run/known_seeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "tests/simulation/run/command.h"
#include "tests/simulation/run/lines.h"

namespace quorate::simulation {

namespace {

constexpr std::string_view kAbout =
    R"(# Seeds that find the planted bugs of engine/base/mutant.h quickly. They are only an order in
# which seeds are tried: `mutants` runs each of these worlds with its bug and with nothing planted,
# and hunts over all seeds for what they do not find. So a line that is out of date, as what a seed
# means changes with the engine and the worlds, costs time and nothing else. Written by this, with
# the name of this file twice; without --known-seeds it begins from nothing:
#   build/release/tests/mutants --known-seeds FILE --write-seeds FILE
# BUG KIND SEED

)";

/// Takes the next word off the text. An error text; empty: one of the allowed names was there.
std::string take_name(std::string_view& text, const char* what,
                      const std::vector<std::string>& allowed, std::string& name) {
  name = take_word(text);
  if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) return {};
  std::string error = fmt::format("{}: found \"{}\", allowed", what, name);
  for (const std::string& one : allowed) error += ' ' + one;
  return error;
}

std::string read_known_seed(std::string_view line, const KnownNames& names, KnownSeeds& seeds) {
  std::string_view text = trimmed(line.substr(0, line.find('#')));
  std::string bug;
  KnownSeed known;
  if (auto e = take_name(text, "bug", names.bugs, bug); !e.empty()) return e;
  if (auto e = take_name(text, "kind", names.kinds, known.kind); !e.empty()) return e;
  if (auto e = take_number(text, "seed", kSeedMax, known.seed); !e.empty()) return e;
  if (!text.empty()) return fmt::format("found \"{}\", allowed BUG KIND SEED", text);
  if (seeds.emplace(bug, known).second) return {};
  return fmt::format("bug: found {} a second time, allowed once", bug);
}

}  // namespace

std::string read_known_seeds(std::istream& in, const KnownNames& names, KnownSeeds& seeds) {
  seeds.clear();
  return read_lines(in, [&](std::string_view line) {
    return read_known_seed(line, names, seeds);
  });
}

void write_known_seeds(std::ostream& out, const KnownSeeds& seeds) {
  out << kAbout;
  for (const auto& [bug, known] : seeds) {
    out << fmt::format("{:<27} {:<8} {}\n", bug, known.kind, known.seed);
  }
}

}  // namespace quorate::simulation
