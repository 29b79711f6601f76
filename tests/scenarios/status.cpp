#include <iomanip>
#include <sstream>

#include "commands.h"

namespace quorate::scenarios {

namespace {

constexpr std::size_t kBar = 20;

const char* name_of(core::ReplicaState state) {
  switch (state) {
    case core::ReplicaState::absent: return "absent";
    case core::ReplicaState::streaming: return "streaming";
    case core::ReplicaState::parked: return "parked";
    case core::ReplicaState::needs_full_copy: return "needs_full_copy";
    case core::ReplicaState::catching_up: return "catching_up";
  }
  return "?";
}

void write_header(std::ostream& out) {
  out << std::left << std::setw(20) << "as the primary sees" << std::right << std::setw(6) << "sent"
      << std::setw(10) << "received" << std::setw(9) << "applied" << std::setw(8) << "credit"
      << std::setw(7) << "holds" << "  |" << std::setw(6) << "has" << std::setw(9) << "shows"
      << std::setw(9) << "applied" << '\n';
}

void write_replica(const World& world, std::uint32_t i, std::ostream& out) {
  const core::ReplicaProgress& progress = world.primary().replica(i);
  const core::ReplicaMachine& machine = *world.replica(i).machine;
  out << std::left << std::setw(4) << world.replica(i).name << std::setw(16)
      << name_of(progress.state) << std::right << std::setw(6) << progress.sent << std::setw(10)
      << progress.received << std::setw(9) << progress.applied << std::setw(8)
      << progress.credit_limit << std::setw(7) << (progress.holds ? "yes" : "no") << "  |"
      << std::setw(6) << machine.received() << std::setw(9) << machine.exposed() << std::setw(9)
      << machine.applied() << '\n';
}

std::string bar(Position position, Position of) {
  const std::size_t length = of == 0 ? 0 : static_cast<std::size_t>(position * kBar / of);
  return std::string(length, '#') + std::string(kBar - length, '.');
}

void write_mark(const std::string& name, Position position, Position sealed, std::ostream& out) {
  out << std::left << std::setw(20) << name << std::right << std::setw(6) << position << "  "
      << bar(position, sealed) << '\n';
}

}  // namespace

std::string milliseconds(Instant time) { return std::to_string(time / kMillisecond_ns) + "ms"; }

void write_status(const World& world, std::ostream& out) {
  const core::PrimaryMachine& primary = world.primary();
  const Position sealed = primary.sealed();
  out << "time " << milliseconds(world.now) << ", ring holds " << world.reclaimed() << "…"
      << world.appended() << " of " << world.settings().ring_bytes << '\n';
  write_header(out);
  const auto replicas = static_cast<std::uint32_t>(world.settings().replicas.size());
  for (std::uint32_t i = 0; i < replicas; ++i) write_replica(world, i, out);
  write_mark("sealed", sealed, sealed, out);
  write_mark("committed", primary.committed(), sealed, out);
  for (const RegisteredRule& rule : world.rules()) {
    write_mark(rule.text, primary.watermark(rule.index), sealed, out);
  }
}

}  // namespace quorate::scenarios
