#include "tests/simulation/system/host.h"

#include <utility>

#include "base/check.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/system/simulated_reactor.h"

namespace quorate::simulation {

Process::Process(Network& network, Scheduler& scheduler, Host& host, ProcessId id)
    : network_(network), scheduler_(scheduler), host_(host), id_(id) {}

Process::~Process() {
  if (!dead_) kill(Ending::process);
  CHECK(reactors_.empty());
}

Instant Process::local_now() const noexcept {
  return dead_ ? dead_now_ : host_.clock.local(scheduler_.now());
}

std::unique_ptr<SimulatedReactor> Process::make_reactor(bool blocking) {
  const auto number = static_cast<std::uint32_t>(network_.reactors_.size());
  auto reactor = std::make_unique<SimulatedReactor>(network_, *this, number, blocking);
  network_.reactors_.push_back(reactor.get());
  reactors_.push_back(reactor.get());
  return reactor;
}

void Process::drive(SimulatedReactor& reactor, Turn turn) { reactor.turn_ = std::move(turn); }

std::int32_t Process::add_slot(Slot slot) {
  ++open_sockets_;
  for (std::size_t id = 0; id < slots_.size(); ++id) {
    if (slots_[id].kind != Slot::Kind::none) continue;
    slots_[id] = slot;
    return static_cast<std::int32_t>(id);
  }
  slots_.push_back(slot);
  return static_cast<std::int32_t>(slots_.size() - 1);
}

void Process::block() { ++blocked_; }

void Process::unblock() {
  CHECK(blocked_ > 0);
  if (--blocked_ == 0) wake_all();
}

void Process::pause() { paused_ = true; }

void Process::resume() {
  if (!std::exchange(paused_, false)) return;
  wake_all();
}

void Process::wake_all() {
  for (SimulatedReactor* reactor : reactors_) {
    if (std::exchange(reactor->deferred_, false) || blocked_ == 0) reactor->wake();
  }
}

void Process::kill(Ending ending) {
  if (dead_) return;
  dead_now_ = local_now();
  dead_ = true;
  for (std::size_t id = 0; id < slots_.size(); ++id) {
    const Slot slot = std::exchange(slots_[id], {});
    if (slot.kind == Slot::Kind::listener) network_.drop_listener(slot.index, ending);
    if (slot.kind == Slot::Kind::connection) network_.drop_end(slot.index, slot.end, ending);
  }
  network_.forget_dials(*this);
  if (ending == Ending::machine) {
    ++host_.boots;
    host_.running = false;
    host_.disk.power_loss();
  }
  for (SimulatedReactor* reactor : reactors_) reactor->die();
}

}  // namespace quorate::simulation
