#include "tests/simulation/world/primary_actor.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/system/heap.h"
#include "tests/simulation/world/content.h"

namespace quorate::simulation {

namespace {

Position stream_bytes(std::size_t payload_bytes) {
  return 8 + ((payload_bytes + 7) & ~std::size_t{7});
}

}  // namespace

PrimaryActor::PrimaryActor(Network& network, Teller& teller, const Plan& plan, Ledgers* ledgers,
                           HostId host, Draw draw)
    : network_(network), teller_(teller), plan_(plan), ledgers_(ledgers), draw_(draw) {
  open(host);
}

void PrimaryActor::open(HostId host) {
  process_ = network_.start_process(host);
  EngineOptions engine;
  engine.trace = [this](TraceLevel level, std::string_view text) { on_trace(level, text); };
  Loops loops = open_loops(*process_, plan_.loops, engine, [this] { after_turn(); });
  engine_ = std::move(loops.engine);
  PrimaryOptions options = plan_.primary;
  options.streams = plan_.streams;
  options.listen = Network::address_of(host) + ":" + std::to_string(kPrimaryPort);
  for (std::uint32_t i = 0; i < plan_.replicas; ++i) {
    options.replicas.push_back("r" + std::to_string(i + 1));
  }
  options.rules = plan_.rules;
  {
    const HeapScope memory(process_->id());
    auto opened = Primary::open(*engine_, options);
    if (!opened) return teller_.fail("open of a primary: " + opened.error().text);
    primary_ = std::make_unique<Primary>(std::move(opened).value());
  }
  epoch_ = primary_->epoch();
  claimed_.assign(plan_.streams, 0);
  refusals_.assign(plan_.streams, {});
  watermarks_.assign(plan_.streams * plan_.rules.size(), 0);
  for (const Rule& rule : plan_.rules) {
    auto id = primary_->stream().rule(rule);
    if (!id) return teller_.fail("rule: " + id.error().text);
    rules_.push_back(id.value());
  }
  HistoryEvent event;
  event.kind = EventKind::reign_began;
  event.epoch = epoch_;
  teller_.tell(event);
  if (ledgers_ != nullptr) disk_ = ledgers_->open(host, *loops.reactors.back());
  loops.wake();
}

PrimaryActor::~PrimaryActor() { kill(Ending::process); }

void PrimaryActor::on_trace(TraceLevel level, std::string_view text) {
  if (level == TraceLevel::error && text.find("epoch is given up") != std::string_view::npos) {
    on_fence(static_cast<StreamId>(std::stoul(std::string(text.substr(7)))));
  }
  if (teller_.tracing()) teller_.trace("primary", std::string(text));
}

void PrimaryActor::on_fence(StreamId stream) {
  fenced_ = true;
  HistoryEvent event;
  event.kind = EventKind::stream_fenced;
  event.stream = stream;
  teller_.tell(event);
  const Instant patience_ns = plan_.primary.claim_deadline.count() * kMillisecond_ns;
  const Instant now = process_->local_now();
  const auto too_old = [&](const Held& held) {
    return held.stream == stream && now - held.since >= patience_ns;
  };
  if (std::any_of(held_.begin(), held_.end(), too_old)) return;
  teller_.fail("fence: stream " + std::to_string(stream) + " was given up before claim_deadline");
}

bool PrimaryActor::may_refuse(Errc code) const noexcept {
  constexpr std::uint64_t kCrowd = 1000;  ///< callbacks between two turns of a loop
  return (code == Errc::fenced && fenced_) || (code == Errc::busy && waiting_ >= kCrowd);
}

void PrimaryActor::after_turn() {
  if (ended_ || !primary_) return;
  for (StreamId stream = 0; stream < plan_.streams; ++stream) {
    const Stream handle = primary_->stream(stream);
    for (std::size_t r = 0; r < rules_.size(); ++r) {
      const Position watermark = handle.watermark(rules_[r]);
      Position& told = watermarks_[stream * rules_.size() + r];
      if (watermark == told) continue;
      told = watermark;
      HistoryEvent event;
      event.kind = EventKind::watermark;
      event.stream = stream;
      event.rule = static_cast<std::uint8_t>(r);
      event.end = watermark;
      teller_.tell(event);
    }
  }
}

std::uint32_t PrimaryActor::write(std::uint32_t records) {
  std::uint32_t taken = 0;
  for (std::uint32_t i = 0; i < records && !ended_; ++i) {
    const auto stream = static_cast<StreamId>(
        plan_.streams == 1 ? 0 : draw_.between(0, plan_.streams - 1));
    taken += write_one(stream) ? 1 : 0;
  }
  return taken;
}

/// From nothing to the largest that there is; and one byte more, which must be refused.
std::size_t PrimaryActor::draw_size() {
  const std::int64_t allowed_max = static_cast<std::int64_t>(plan_.primary.ring_bytes) / 4 - 8;
  if (draw_.chance(20)) return 0;
  if (draw_.between(0, 9'999) == 0) return static_cast<std::size_t>(allowed_max);
  if (draw_.between(0, 9'999) == 0) {
    auto claim = primary_->stream(0).claim(static_cast<std::size_t>(allowed_max) + 1);
    const bool refused = !claim && (claim.error().code == Errc::too_large ||
                                    may_refuse(claim.error().code));
    if (!refused) teller_.fail("claim: a record beyond the limit was not refused as too large");
  }
  return static_cast<std::size_t>(draw_.magnitude(1, plan_.record_bytes_max));
}

/// A replica that stands still may hold writers up for the stall limit, and once more if it comes
/// back, while another one has gone on for a while; one that goes on makes space. Only an open
/// claim is the writers' own affair.
void PrimaryActor::on_busy(StreamId stream) {
  constexpr Instant kGapMax_ns = 200 * kMillisecond_ns;
  Refusal& refusal = refusals_[stream];
  const Instant now = process_->local_now();
  const auto of_stream = [&](const Held& held) { return held.stream == stream; };
  if (std::any_of(held_.begin(), held_.end(), of_stream)) refusal = {};
  if (refusal.last != kNever) refusal.sum_ns += std::min(now - refusal.last, kGapMax_ns);
  refusal.last = now;
  const bool holds = plan_.primary.lag.kind == LagPolicy::Kind::hold;
  const Instant bound_ns =
      ((holds ? 3 * plan_.primary.lag.stall_limit.count() : 0) + 1500) * kMillisecond_ns;
  if (refusal.sum_ns <= bound_ns) return;
  teller_.fail("liveness: writers of stream " + std::to_string(stream) + " are refused for " +
               std::to_string(refusal.sum_ns / kMillisecond_ns) + " ms, the stall limit is " +
               std::to_string(plan_.primary.lag.stall_limit.count()) + " ms");
}

bool PrimaryActor::write_one(StreamId stream) {
  const std::size_t size = draw_size();
  auto claim = primary_->stream(stream).claim(size);
  if (!claim) {
    const Errc code = claim.error().code;
    if (code != Errc::busy && !may_refuse(code)) teller_.fail("claim: " + claim.error().text);
    if (code != Errc::busy) return false;
    on_busy(stream);
    // Refused claims are few, so ten times as often: of 1000.
    if (draw_.chance(plan_.blocked_of_10000)) block_for_space(stream, size);
    return false;
  }
  refusals_[stream] = {};
  Claim space = std::move(claim).value();
  fill(space.bytes(), ++keys_);
  HistoryEvent event;
  event.kind = EventKind::claimed;
  event.stream = stream;
  event.begin = claimed_[stream];
  event.end = claimed_[stream] += stream_bytes(size);
  event.content = content_of(space.bytes());
  teller_.tell(event);
  if (process_->local_now() < hold_until_ && draw_.chance(100)) {
    const Instant until = process_->local_now() + draw_.magnitude(1000, 80 * kMillisecond_ns);
    held_.push_back({stream, event.begin, process_->local_now(), until, std::move(space)});
    return true;
  }
  event.kind = EventKind::published;
  teller_.tell(event);
  const Ticket ticket = space.publish();
  if (ticket.end != event.end || ticket.epoch != epoch_ || ticket.stream != stream) {
    teller_.fail("a ticket names another position than its claim");
  }
  if (draw_.chance(plan_.waited_of_1000)) await(ticket);
  if (draw_.between(0, 9'999) < plan_.blocked_of_10000) block_for_release(ticket);
  return true;
}

/// Calls that block, as a program makes them that has no other thread: the world goes on inside.
void PrimaryActor::block_for_release(const Ticket& ticket) {
  const auto rule = static_cast<std::uint8_t>(
      draw_.between(0, static_cast<std::int64_t>(rules_.size()) - 1));
  const Instant limit_ns = draw_.magnitude(kMicrosecond_ns, 500 * kMillisecond_ns);
  const Instant deadline = process_->local_now() + limit_ns;
  const Instant latest = latest_return(limit_ns);
  process_->block();
  auto outcome = primary_->stream(ticket.stream)
                     .wait(ticket, rules_[rule], std::chrono::nanoseconds(limit_ns));
  if (!end_call(latest)) return;
  if (!outcome) return teller_.fail("wait: " + outcome.error().text);
  if (outcome.value().kind == OutcomeKind::pending) {
    if (process_->local_now() < deadline) teller_.fail("wait: pending before its time is over");
    return teller_.count(Effect::waits_given_up);
  }
  // Judged like a waiter that was told.
  HistoryEvent event;
  event.kind = EventKind::awaited;
  event.stream = ticket.stream;
  event.end = ticket.end;
  event.rule = rule;
  event.waiter = ++waiters_;
  teller_.tell(event);
  event.kind = EventKind::resolved;
  event.outcome = outcome.value().kind;
  event.copies = outcome.value().copies;
  teller_.tell(event);
  if (event.outcome == OutcomeKind::released) teller_.count(Effect::waits_released);
}

/// False: the process was killed inside of the call.
bool PrimaryActor::end_call(Instant latest) {
  process_->unblock();
  if (ended_) {
    bury();
    return false;
  }
  const Instant now = network_.scheduler().now();
  if (now > latest) {
    teller_.fail("wait: returned " + std::to_string((now - latest) / kMillisecond_ns) +
                 " ms too late");
  }
  return true;
}

/// In true time: the process's own clock drifts, and may leap meanwhile.
Instant PrimaryActor::latest_return(Instant limit_ns) const noexcept {
  return network_.scheduler().now() + limit_ns + limit_ns / 10 + kSecond_ns;
}

void PrimaryActor::block_for_space(StreamId stream, std::size_t payload_bytes) {
  const std::chrono::nanoseconds limit(draw_.magnitude(kMicrosecond_ns, 200 * kMillisecond_ns));
  const Instant deadline = process_->local_now() + limit.count();
  const Instant latest = latest_return(limit.count());
  process_->block();
  const bool fits = primary_->stream(stream).wait_space(payload_bytes, limit);
  if (!end_call(latest)) return;
  if (!fits && process_->local_now() < deadline && !fenced_) {
    teller_.fail("wait_space: gave up before its time was over");
  }
  teller_.count(Effect::waits_for_space);
}

void PrimaryActor::await(const Ticket& ticket) {
  HistoryEvent event;
  event.kind = EventKind::awaited;
  event.stream = ticket.stream;
  event.end = ticket.end;
  event.rule = static_cast<std::uint8_t>(
      draw_.between(0, static_cast<std::int64_t>(rules_.size()) - 1));
  event.waiter = waiters_ + 1;
  const auto callback = [this, waiter = event.waiter](const Outcome& outcome) {
    HistoryEvent resolved;
    resolved.kind = EventKind::resolved;
    resolved.waiter = waiter;
    resolved.outcome = outcome.kind;
    resolved.copies = outcome.copies;
    --waiting_;
    teller_.tell(resolved);
  };
  const HeapScope memory(process_->id());
  const Status registered =
      primary_->stream(ticket.stream).on_released(ticket, rules_[event.rule], callback);
  if (registered) {
    ++waiters_;
    ++waiting_;
    return teller_.tell(event);
  }
  if (may_refuse(registered.error().code)) return;
  teller_.fail("on_released: " + registered.error().text);
}

bool PrimaryActor::die_with_claim() {
  const auto stream = static_cast<StreamId>(draw_.between(0, plan_.streams - 1));
  auto claim = primary_->stream(stream).claim(16);
  if (!claim) return false;
  HistoryEvent event;
  event.kind = EventKind::claimed;
  event.stream = stream;
  event.begin = claimed_[stream];
  event.end = claimed_[stream] += stream_bytes(16);
  teller_.tell(event);
  held_.push_back(
      {stream, event.begin, process_->local_now(), kNever, std::move(claim).value()});
  return true;
}

void PrimaryActor::tend_claims(Instant now) {
  std::erase_if(held_, [&](Held& held) {
    if (held.until > now) return false;
    HistoryEvent event;
    const bool publishes = draw_.chance(800);
    event.kind = publishes ? EventKind::published : EventKind::abandoned;
    event.stream = held.stream;
    event.begin = held.begin;
    teller_.tell(event);
    if (publishes) held.claim.publish();
    return true;
  });
}

void PrimaryActor::show() {
  HistoryEvent event;
  event.kind = EventKind::committed;
  for (event.stream = 0; event.stream < plan_.streams; ++event.stream) {
    event.end = primary_->stream(event.stream).status().committed;
    teller_.tell(event);
  }
}

void PrimaryActor::close() {
  if (ended_) return;
  tend_claims(kNever - 1);
  HistoryEvent event;
  event.kind = EventKind::closing;
  teller_.tell(event);
  process_->block();
  primary_->close();
  process_->unblock();
  if (ended_) return bury();
  kill(Ending::process);
}

void PrimaryActor::kill(Ending ending) {
  if (std::exchange(ended_, true)) return;
  HistoryEvent event;
  event.kind = EventKind::closing;
  teller_.tell(event);
  if (disk_) disk_->stop();
  process_->kill(ending);
  // Somebody is inside a call of the handle: it goes when that returns.
  if (!process_->blocked()) bury();
}

void PrimaryActor::bury() {
  // Claims end with their writers: dropped, they become padding, and what is behind them goes on.
  for (const Held& held : held_) {
    HistoryEvent dropped;
    dropped.kind = EventKind::abandoned;
    dropped.stream = held.stream;
    dropped.begin = held.begin;
    teller_.tell(dropped);
  }
  held_.clear();
  primary_.reset();
  engine_.reset();
  disk_.reset();
  HistoryEvent event;
  event.kind = EventKind::reign_ended;
  teller_.tell(event);
}

}  // namespace quorate::simulation
