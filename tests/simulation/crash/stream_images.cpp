#include "tests/simulation/crash/stream_images.h"

#include <array>
#include <memory>

#include "tests/simulation/crash/stream_host.h"

namespace quorate::simulation {

namespace {

constexpr std::size_t kStreamViolationsMax = 10;

StreamLife stream_life(std::uint64_t workload) {
  StreamLife life;
  life.takes_snapshot = workload % 2 == 1;
  return life;
}

std::unique_ptr<StreamHost> stream_host(std::uint64_t workload) {
  auto host = std::make_unique<StreamHost>(workload + 1, workload < kStreamWorkloads / 2);
  // One that has begun with a snapshot already.
  if (workload % 2 == 1) host->live(stream_life(workload));
  return host;
}

std::uint64_t stream_boundaries(std::uint64_t workload) {
  const auto host = stream_host(workload);
  host->live(stream_life(workload));
  return host->events();
}

void run_image(std::uint64_t workload, std::uint64_t boundary, StreamTotals& totals) {
  const auto host = stream_host(workload);
  StreamLife life = stream_life(workload);
  life.power_at = boundary;
  host->live(life);
  life.power_at = ~std::uint64_t{0};
  life.frames = 10;
  host->live(life);
  life.frames = 0;
  life.takes_snapshot = false;
  host->live(life);
  ++totals.images;
  totals.given_up += host->given_up;
  totals.installed += host->installed;
  totals.undone += host->undone;
  if (host->violation().empty() || totals.violations.size() == kStreamViolationsMax) return;
  totals.violations.push_back("stream workload " + std::to_string(workload) + " at " +
                              std::to_string(boundary) + ": " + host->violation());
}

}  // namespace

StreamTotals run_stream_images(std::uint64_t first_seed, std::uint64_t count) {
  std::array<std::uint64_t, kStreamWorkloads> boundaries{};
  for (std::uint64_t i = 0; i < kStreamWorkloads; ++i) boundaries[i] = stream_boundaries(i);
  StreamTotals totals;
  for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
    Draw draw = Draw::of(seed, "stream image");
    const std::uint64_t workload = seed % kStreamWorkloads;
    const auto last = static_cast<std::int64_t>(boundaries[workload]);
    run_image(workload, static_cast<std::uint64_t>(draw.between(1, last)), totals);
  }
  return totals;
}

StreamTotals run_every_stream_image() {
  StreamTotals totals;
  for (std::uint64_t workload = 0; workload < kStreamWorkloads; ++workload) {
    const std::uint64_t last = stream_boundaries(workload);
    for (std::uint64_t at = 1; at <= last; ++at) run_image(workload, at, totals);
  }
  return totals;
}

}  // namespace quorate::simulation
