#include "tests/simulation/crash/crash_images.h"

namespace quorate::simulation {

namespace {

constexpr std::size_t kViolationsMax = 10;

/// Small, so that a workload crosses segments and fills units.
log::LogOptions options_of(std::uint64_t workload) {
  log::LogOptions options;
  options.limits.segment_bytes = workload % 3 == 0 ? 128u << 10 : 64u << 10;
  options.limits.unit_bytes_max = workload % 2 == 0 ? 8u << 10 : 16u << 10;
  options.limits.units_in_flight = 1 + static_cast<std::uint32_t>(workload * 3 % 8);
  options.limits.eager_units = 1 + static_cast<std::uint32_t>(workload % 3);
  options.direct = workload % 4 != 3;
  return options;
}

LogLife life_of(std::uint64_t workload) {
  LogLife life;
  life.frames = 30 + static_cast<std::uint32_t>(workload * 7);
  life.closes = workload % 3 == 1;
  life.power = true;
  life.cuts = workload % 4 >= 2;
  life.restarts = workload % 4 == 1 || workload % 6 == 0;
  life.reuses = workload % 5 <= 2;
  return life;
}

std::unique_ptr<LogHost> make_host(std::uint64_t workload) {
  auto host = std::make_unique<LogHost>(workload + 1, options_of(workload));
  if (workload % 5 == 4) host->disk().law.short_results = 200'000;
  // Half of the workloads begin with a log that is there already.
  if (workload % 2 == 1) host->live(life_of(workload));
  return host;
}

/// A second crash, often while recovery runs; then a life in peace; then a last look.
void go_on(LogHost& host, std::uint64_t seed) {
  Draw draw = Draw::of(seed, "afterwards");
  LogLife second;
  second.dies_at = static_cast<std::uint64_t>(draw.magnitude(1, 200));
  second.power = draw.chance(500);
  second.frames = 10;
  second.cuts = draw.chance(300);
  second.restarts = draw.chance(300);
  second.reuses = draw.chance(500);
  if (draw.chance(700)) host.live(second);
  LogLife third;
  third.frames = 10;
  third.cuts = draw.chance(300);
  third.restarts = draw.chance(300);
  third.reuses = draw.chance(500);
  third.power = draw.chance(500);
  third.closes = draw.chance(300);
  host.live(third);
  host.look();
}

}  // namespace

std::string to_string(const CrashImage& image) {
  return "workload " + std::to_string(image.workload) + " " +
         std::string(to_string(image.fault)) + " at " + std::to_string(image.boundary) +
         " seed " + std::to_string(image.seed);
}

std::uint64_t crash_boundaries(std::uint64_t workload) {
  const auto host = make_host(workload);
  host->live(life_of(workload));
  return host->events();
}

void run_crash_image(const CrashImage& image, CrashTotals& totals) {
  const auto host = make_host(image.workload);
  LogLife life = life_of(image.workload);
  life.fault_at = image.boundary;
  life.fault = image.fault;
  // After an error the page cache may show what the medium does not have: only if it is kept.
  life.power = image.seed % 3 == 0;
  host->live(life);
  go_on(*host, image.seed);
  ++totals.images;
  ++totals.by_fault[static_cast<std::size_t>(image.fault)];
  totals.reported_bytes += host->reported_bytes;
  totals.recovered_bytes += host->recovered_bytes;
  totals.cuts += host->cuts;
  totals.truncations += host->truncations;
  totals.restarts += host->restarts;
  totals.undone += host->undone;
  totals.reused += host->reused;
  totals.faults += host->faults;
  totals.refusals += host->refusals;
  totals.unprovable += host->unprovable;
  totals.torn_writes += host->disk().counts().torn_writes;
  if (!host->violation().empty() && totals.violations.size() < kViolationsMax) {
    totals.violations.push_back(to_string(image) + ": " + host->violation());
  }
}

CrashTotals run_crash_images(std::uint64_t first_seed, std::uint64_t count) {
  std::array<std::uint64_t, kCrashWorkloads> boundaries{};
  for (std::uint64_t i = 0; i < kCrashWorkloads; ++i) boundaries[i] = crash_boundaries(i);
  CrashTotals totals;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t seed = first_seed + i;
    Draw draw = Draw::of(seed, "image");
    CrashImage image;
    image.seed = seed;
    image.workload = i % kCrashWorkloads;
    image.fault = static_cast<CrashFault>(i / kCrashWorkloads % kCrashFaults);
    image.boundary = static_cast<std::uint64_t>(
        draw.between(1, static_cast<std::int64_t>(boundaries[image.workload])));
    run_crash_image(image, totals);
  }
  return totals;
}

CrashTotals run_every_crash_image(std::uint64_t stride) {
  CrashTotals totals;
  for (std::uint64_t workload = 0; workload < kCrashWorkloads; ++workload) {
    const std::uint64_t boundaries = crash_boundaries(workload);
    for (std::uint64_t at = 1; at <= boundaries; at += stride) {
      for (std::uint8_t fault = 0; fault < kCrashFaults; ++fault) {
        run_crash_image({workload, static_cast<CrashFault>(fault), at, at + 1}, totals);
      }
    }
  }
  return totals;
}

}  // namespace quorate::simulation
