#include "node/load.h"

#include <chrono>
#include <utility>

#include "node/words.h"

namespace quorate::cluster {

namespace {
/// How long a writer sleeps for space or for its release before it looks whether it shall stop.
constexpr std::chrono::milliseconds kPatience{50};
}  // namespace

Load::Load(Primary& primary, Digest& digest, LoadPlan plan)
    : primary_(primary), digest_(digest), plan_(std::move(plan)) {
  for (std::uint32_t i = 0; i < plan_.writers; ++i) {
    threads_.emplace_back([this, i] { write(i); });
  }
}

void Load::stop() {
  stopping_ = true;
  join();
}

void Load::join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Load::write(std::uint32_t writer) {
  std::vector<std::byte> buffer(plan_.fixed ? plan_.bytes : 2 * plan_.bytes + 1);
  const std::uint32_t streams = primary_.stream_count();
  for (std::uint64_t i = 0; i < plan_.records && !stopping_; ++i) {
    const std::uint64_t seed = mix(plan_.seed << 40 ^ std::uint64_t{writer} << 32 ^ i);
    const std::size_t size = plan_.fixed ? plan_.bytes : seed % buffer.size();
    const std::span<std::byte> payload(buffer.data(), size);
    fill(payload, seed);
    const Stream stream = primary_.stream(static_cast<StreamId>((i + writer) % streams));
    Ticket ticket;
    if (!append(stream, payload, ticket)) return;
    if (!plan_.rules.empty() && !await(stream, ticket, plan_.rules[i % plan_.rules.size()])) return;
    if (plan_.pause_us != 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(plan_.pause_us));
    }
  }
}

bool Load::append(Stream stream, std::span<const std::byte> payload, Ticket& ticket) {
  while (!stopping_) {
    auto appended = stream.append(payload);
    if (appended) {
      ticket = *appended;
      digest_.add(ticket.stream, ticket.end, payload);
      ++counts_.records;
      return true;
    }
    if (appended.error().code != Errc::busy) break;
    ++counts_.busy;
    stream.wait_space(payload.size(), kPatience);
  }
  if (!stopping_) ++counts_.closed;
  return false;
}

bool Load::await(Stream stream, const Ticket& ticket, RuleId rule) {
  for (;;) {
    const auto outcome = stream.wait(ticket, rule, kPatience);
    if (!outcome) fail("wait: " + outcome.error().text);
    if (outcome->released()) {
      ++counts_.released;
      return true;
    }
    if (outcome->kind == OutcomeKind::unknown) {
      ++counts_.unknown;
      return false;
    }
    if (!stopping_) continue;
    ++counts_.pending;
    return false;
  }
}

}  // namespace quorate::cluster
