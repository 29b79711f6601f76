// The program `crash_images`: runs many and says what they found.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>

#include "tests/simulation/crash/crash_images.h"

int main(int argc, char** argv) {
  using namespace quorate::simulation;
  std::uint64_t images = 2000, seed = 1, stride = 0, workload = 0, boundary = 0;
  unsigned fault = 0;
  CLI::App app("Crashes a log at boundaries of its disk's events and judges its recovery");
  app.add_option("--images", images, "how many");
  app.add_option("--seed", seed, "of the first one");
  app.add_option("--every", stride, "instead: each n-th boundary with every fault");
  app.add_option("--boundary", boundary, "instead: one image at this boundary, of --seed");
  app.add_option("--workload", workload, "of the one image");
  app.add_option("--fault", fault, "of the one image, by number")->check(CLI::Range(0, 7));
  CLI11_PARSE(app, argc, argv);

  CrashTotals totals;
  if (boundary > 0) {
    run_crash_image({workload, static_cast<CrashFault>(fault), boundary, seed}, totals);
  } else {
    totals = stride > 0 ? run_every_crash_image(stride) : run_crash_images(seed, images);
  }
  fmt::print("{} images; reported {} bytes, recovered {}; cuts {}, faults {}, refusals {}, "
             "unprovable {}, torn writes {}; "
             "truncations {}, restarts {}, undone {}, reused {}\n",
             totals.images, totals.reported_bytes, totals.recovered_bytes, totals.cuts,
             totals.faults, totals.refusals, totals.unprovable, totals.torn_writes,
             totals.truncations, totals.restarts, totals.undone, totals.reused);
  for (const std::string& violation : totals.violations) fmt::print("VIOLATION {}\n", violation);
  return totals.violations.empty() ? 0 : 1;
}
