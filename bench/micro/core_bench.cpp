// The machines without I/O: what a turn decides, not what it moves.

#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "core/frame_index.h"
#include "core/primary_machine.h"
#include "core/quorum.h"
#include "core/replica_machine.h"

namespace {

using namespace quorate;
using namespace quorate::core;

constexpr Epoch kEpoch{1, 2};
constexpr std::uint64_t kFrame = 64u << 10;
constexpr Position kNoLimit = Position{1} << 60;

/// A majority of range(0) replicas.
void released_by_quorum(benchmark::State& state) {
  const auto replicas = static_cast<std::uint32_t>(state.range(0));
  const CompiledRule rule{Level::received, replicas / 2 + 1, (1ull << replicas) - 1};
  std::vector<Position> positions(replicas);
  Position at = 0;
  for (auto _ : state) {
    at += 64;
    positions[at / 64 % replicas] = at;
    benchmark::DoNotOptimize(released_position(rule, at, positions));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(released_by_quorum)->ArgName("replicas")->Arg(3)->Arg(5)->Arg(7);

PrimaryMachine primary_with_two_replicas(FrameIndex& frames) {
  PrimaryMachine machine({.epoch = kEpoch, .replicas = 2, .protected_copies = 2});
  PrimaryEffects effects;
  machine.on_rule(0, {Level::received, 2, 3}, effects);
  machine.on_rule(1, {Level::received, 1, 3}, effects);
  for (std::uint32_t i = 0; i < 2; ++i) {
    ResumeClaim claim;
    claim.incarnation = i + 1;
    claim.credit_limit = kNoLimit;
    machine.on_resume(i, claim, {frames, 0}, 0, effects);
  }
  return machine;
}

/// One step: a frame is sealed and sent to two replicas, both acknowledge it, two rules follow.
void primary_step(benchmark::State& state) {
  std::vector<FrameEntry> entries(64);
  FrameIndex frames(entries);
  PrimaryMachine machine = primary_with_two_replicas(frames);
  PrimaryEffects effects;
  Position end = 0;
  for (auto _ : state) {
    end += kFrame;
    effects.clear();
    machine.on_sealed(end, effects);
    for (std::uint32_t i = 0; i < 2; ++i) {
      machine.on_send_started(i, machine.sendable(i).end, 1);
      machine.on_send_finished(i);
    }
    for (std::uint32_t i = 0; i < 2; ++i) {
      Acknowledgement ack;
      ack.epoch = kEpoch;
      ack.incarnation = i + 1;
      ack.received = end;
      ack.credit_limit = kNoLimit;
      machine.on_acknowledgement(i, ack, 0, effects);
    }
    benchmark::DoNotOptimize(effects);
  }
  if (machine.watermark(0) != end) state.SkipWithError("a step was not released");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(primary_step);

/// One step: a frame is checked, taken, committed, applied and acknowledged.
void replica_step(benchmark::State& state) {
  ReplicaMachine machine({0, 1, 1u << 22});
  machine.on_session(kEpoch);
  machine.on_verdict({0, Verdict::from_start, 0});
  FrameInfo frame;
  frame.epoch = kEpoch;
  Epoch previous;
  for (auto _ : state) {
    frame.begin = frame.end;
    frame.end += kFrame;
    frame.previous_epoch = previous;
    frame.previous_checksum = frame.checksum++;
    if (machine.check_frame(frame) != FrameVerdict::accept) state.SkipWithError("refused");
    machine.on_frame(frame);
    machine.on_committed(frame.end);
    machine.on_applied(machine.exposed());
    benchmark::DoNotOptimize(machine.acknowledgement());
    machine.on_acknowledged();
    previous = kEpoch;
  }
  if (machine.applied() != frame.end) state.SkipWithError("a step was not applied");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(replica_step);

}  // namespace
