// Primaries that write a log and open it again. They need no peers: what is measured is the time
// until a node that was there before can go on.

#include <string>

#include "bench/end_to_end/engine_parts.h"
#include "bench/end_to_end/lead.h"
#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::now_s;

PrimaryOptions options_of(const RoundSpec& spec) {
  PrimaryOptions options;
  options.directory = node_directory(spec, "a");
  options.storage = storage_that_keeps_all();
  options.ring_bytes = spec.ring_bytes;
  options.rules = {async(Level::durable)};
  options.engine = engine_options(spec, false);
  return options;
}

}  // namespace

int run_log_filler(const RoundSpec& spec) {
  Primary primary = require(Primary::open(options_of(spec)), "primary");
  const double begin_s = now_s();
  const std::uint64_t records = (spec.log_mib << 20) / stream_bytes(spec.payload_bytes);
  Writer writer(primary.stream(), spec.payload_bytes, 0, records);
  writer.join();
  const Ticket last{primary.epoch(), writer.end(), 0};
  const Outcome outcome =
      require(primary.wait(last, async(Level::durable), std::chrono::seconds(20)), "wait");
  if (!outcome.released()) fail("the last record did not become durable");
  RoundResult result;
  result.seconds = now_s() - begin_s;
  result.bytes = static_cast<double>(writer.end());
  result.released = static_cast<double>(writer.appended());
  result.backend = std::string(primary.engine().backend());
  primary.close();
  say_result(result, writer.appended());
  return 0;
}

int run_log_opener(const RoundSpec& spec) {
  const double begin_s = now_s();
  Primary primary = require(Primary::open(options_of(spec)), "primary");
  RoundResult result;
  result.seconds = now_s() - begin_s;
  // Nothing of what was written may be missing: the next record goes behind all of it.
  const Ticket ticket = require(primary.append("behind"), "append");
  result.bytes = static_cast<double>(ticket.end);
  result.backend = std::string(primary.engine().backend());
  primary.close();
  say_result(result, 0);
  return 0;
}

}  // namespace quorate::bench
