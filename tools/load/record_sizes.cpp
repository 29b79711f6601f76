#include "tools/load/record_sizes.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "tools/cli/option_set.h"
#include "tools/cli/text.h"

namespace quorate::tools {

namespace {

constexpr std::uint32_t kMost = 1u << 30;
constexpr std::uint64_t kSeed = 0x5175'6f72'6174'65;

Error refused(std::string_view text, std::string_view allowed) {
  return {Errc::invalid_option, found_allowed(text, allowed)};
}

}  // namespace

RecordSizes::RecordSizes(std::uint32_t bytes)
    : cycle_{bytes}, most_bytes_(bytes), text_(std::to_string(bytes) + " B") {}

std::uint32_t RecordSizes::least_bytes() const {
  return *std::min_element(cycle_.begin(), cycle_.end());
}

RecordSizes RecordSizes::of_cycle(std::vector<std::uint32_t> cycle) {
  RecordSizes sizes;
  sizes.most_bytes_ = *std::max_element(cycle.begin(), cycle.end());
  sizes.cycle_ = std::move(cycle);
  return sizes;
}

Result<RecordSizes> RecordSizes::parse(std::string_view text) {
  if (const auto bytes = parse_number<std::uint32_t>(text); bytes && *bytes <= kMost) {
    return RecordSizes(*bytes);
  }
  const auto colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  Result<RecordSizes> sizes = colon == std::string_view::npos
                                  ? refused(text,
                                            "N, uniform:LO-HI, lognormal:MEDIAN:SIGMA or "
                                            "list:N@SHARE,… with sizes in bytes")
                              : kind == "uniform"   ? uniform(text)
                              : kind == "lognormal" ? lognormal(text)
                              : kind == "list"      ? list(text)
                                               : refused(text, "uniform:…, lognormal:… or list:…");
  if (sizes) sizes->text_ = text;
  return sizes;
}

Result<RecordSizes> RecordSizes::uniform(std::string_view text) {
  const auto parts = split(text.substr(text.find(':') + 1), '-');
  const auto low = parse_number<std::uint32_t>(parts[0]);
  const auto high = parse_number<std::uint32_t>(parts.size() == 2 ? parts[1] : "");
  if (!low || !high || *low > *high || *high > kMost) {
    return refused(text, "uniform:LO-HI with LO not above HI");
  }
  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<std::uint32_t> distribution(*low, *high);
  std::vector<std::uint32_t> cycle(kCycle);
  for (std::uint32_t& bytes : cycle) bytes = distribution(random);
  RecordSizes sizes = of_cycle(std::move(cycle));
  sizes.most_bytes_ = *high;
  return sizes;
}

Result<RecordSizes> RecordSizes::lognormal(std::string_view text) {
  const auto parts = split(text.substr(text.find(':') + 1), ':');
  const auto median = parse_number<std::uint32_t>(parts[0]);
  const auto sigma = parse_number<double>(parts.size() == 2 ? parts[1] : "");
  if (!median || !sigma || *median < 1 || *median > kMost || !(*sigma >= 0 && *sigma <= 4)) {
    return refused(text, "lognormal:MEDIAN:SIGMA with MEDIAN at least 1 and SIGMA 0…4");
  }
  std::mt19937_64 random(kSeed);
  std::lognormal_distribution<double> distribution(std::log(*median), *sigma);
  std::vector<std::uint32_t> cycle(kCycle);
  for (std::uint32_t& bytes : cycle) {
    bytes = static_cast<std::uint32_t>(std::min<double>(std::round(distribution(random)), kMost));
  }
  return of_cycle(std::move(cycle));
}

Result<RecordSizes> RecordSizes::list(std::string_view text) {
  constexpr auto kAllowed = "list:N@SHARE,N@SHARE,… with sizes in bytes and shares above 0";
  std::vector<std::uint32_t> values;
  std::vector<double> shares;
  for (const std::string_view part : split(text.substr(text.find(':') + 1), ',')) {
    const auto pair = split(part, '@');
    const auto bytes = parse_number<std::uint32_t>(pair[0]);
    const auto share = parse_number<double>(pair.size() == 2 ? pair[1] : "");
    if (!bytes || !share || *bytes > kMost || !(*share > 0 && *share <= 1e9)) {
      return refused(text, kAllowed);
    }
    values.push_back(*bytes);
    shares.push_back(*share);
  }
  std::mt19937_64 random(kSeed);
  std::discrete_distribution<std::size_t> distribution(shares.begin(), shares.end());
  std::vector<std::uint32_t> cycle(kCycle);
  for (std::uint32_t& bytes : cycle) bytes = values[distribution(random)];
  RecordSizes sizes = of_cycle(std::move(cycle));
  sizes.most_bytes_ = *std::max_element(values.begin(), values.end());
  return sizes;
}

}  // namespace quorate::tools
