#include "quorate/primary.h"

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/time.h"
#include "shard/primary_node.h"

namespace quorate {

namespace {

using Refusal = base::TailRing::Refusal;

}  // namespace

// Claim.

Claim::Claim(Claim&& other) noexcept
    : stream_(std::exchange(other.stream_, nullptr)), bytes_(other.bytes_), begin_(other.begin_) {}

Claim& Claim::operator=(Claim&& other) noexcept {
  if (this == &other) return *this;
  if (stream_ != nullptr) stream_->abandon(begin_, bytes_.size());
  stream_ = std::exchange(other.stream_, nullptr);
  bytes_ = other.bytes_;
  begin_ = other.begin_;
  return *this;
}

Claim::~Claim() {
  if (stream_ != nullptr) stream_->abandon(begin_, bytes_.size());
}

Ticket Claim::publish() noexcept {
  shard::PrimaryStream* stream = std::exchange(stream_, nullptr);
  if (stream == nullptr) return {};
  stream->publish(begin_, bytes_.size());
  return stream->ticket(begin_ + base::record_bytes(bytes_.size()));
}

// Stream.

StreamId Stream::id() const noexcept { return stream_->id(); }

Epoch Stream::epoch() const noexcept { return stream_->epoch(); }

bool Stream::try_append(std::span<const std::byte> payload, Position& end) noexcept {
  const auto space = stream_->claim(payload.size());
  if (space.refusal != Refusal::none) [[unlikely]] return false;
  if (!payload.empty()) std::memcpy(space.payload, payload.data(), payload.size());
  stream_->publish(space.begin, payload.size());
  end = space.end;
  return true;
}

Result<Ticket> Stream::append(std::span<const std::byte> payload) noexcept {
  const auto space = stream_->claim(payload.size());
  if (space.refusal != Refusal::none) [[unlikely]] {
    return stream_->refusal_error(space.refusal, payload.size());
  }
  if (!payload.empty()) std::memcpy(space.payload, payload.data(), payload.size());
  stream_->publish(space.begin, payload.size());
  return stream_->ticket(space.end);
}

Result<Ticket> Stream::append(std::string_view payload) noexcept {
  return append(std::as_bytes(std::span<const char>(payload)));
}

Result<Claim> Stream::claim(std::size_t payload_bytes) noexcept {
  const auto space = stream_->claim(payload_bytes);
  if (space.refusal != Refusal::none) [[unlikely]] {
    return stream_->refusal_error(space.refusal, payload_bytes);
  }
  return Claim(stream_, {space.payload, payload_bytes}, space.begin);
}

bool Stream::wait_space(std::size_t payload_bytes, std::chrono::nanoseconds timeout) {
  return stream_->wait_space(payload_bytes, stream_->shard().deadline_in(timeout));
}

Result<RuleId> Stream::rule(const Rule& rule) {
  for (std::uint32_t i = 0; i < stream_->rule_count(); ++i) {
    if (stream_->rule(i).rule == rule) return RuleId{static_cast<std::uint8_t>(i)};
  }
  const shard::PrimaryShared& shared = stream_->driver().shared();
  Result<RuleId> id = RuleId{};
  stream_->shard().call([&] {
    id = stream_->register_rule(rule, shared.options.replicas, shared.options.floor_copies);
  });
  return id;
}

Position Stream::watermark(RuleId rule) const noexcept {
  if (rule.index >= kRulesMax) return 0;
  return stream_->rule(rule.index).watermark.load(std::memory_order_acquire);
}

bool Stream::released(const Ticket& ticket, RuleId rule) const noexcept {
  return ticket.epoch == stream_->epoch() && ticket.stream == id() &&
         watermark(rule) >= ticket.end;
}

Result<Outcome> Stream::wait(const Ticket& ticket, RuleId rule, std::chrono::nanoseconds timeout) {
  if (auto fits = stream_->check_wait(ticket, rule); !fits) return fits.error();
  if (watermark(rule) < ticket.end) {
    const Instant deadline = stream_->shard().deadline_in(timeout);
    if (auto waited = stream_->wait_release(ticket.end, rule, deadline); !waited) {
      return waited.error();
    }
  }
  return stream_->outcome(ticket.end, rule);
}

Result<Outcome> Stream::wait(const Ticket& ticket, const Rule& rule,
                             std::chrono::nanoseconds timeout) {
  auto id = this->rule(rule);
  if (!id) return id.error();
  return wait(ticket, id.value(), timeout);
}

Status Stream::on_released(const Ticket& ticket, RuleId rule, ReleaseCallback callback) {
  if (auto fits = stream_->check_wait(ticket, rule); !fits) return fits;
  return stream_->driver().waiters().add(*stream_, stream_->local_index(), rule, ticket.end,
                                         std::move(callback));
}

Status Stream::offer_snapshot(std::string path, Position position) {
  return stream_->offer_snapshot(std::move(path), position);
}

StreamStatus Stream::status() const {
  return stream_->status(stream_->driver().shared().options.replicas,
                         stream_->shard().reactor().now());
}

// Primary.

Result<Primary> Primary::open(PrimaryOptions options) {
  if (auto valid = options.validate(); !valid) return valid.error();
  auto engine = Engine::open(options.engine);
  if (!engine) return engine.error();
  auto node = shard::PrimaryNode::open(std::make_unique<Engine>(std::move(engine).value()), nullptr,
                                       std::move(options));
  if (!node) return node.error();
  return Primary(std::move(node).value());
}

Result<Primary> Primary::open(Engine& engine, PrimaryOptions options) {
  if (auto valid = options.validate(); !valid) return valid.error();
  auto node = shard::PrimaryNode::open(nullptr, &engine, std::move(options));
  if (!node) return node.error();
  return Primary(std::move(node).value());
}

Primary::Primary(std::unique_ptr<shard::PrimaryNode> node) : node_(std::move(node)) {}
Primary::Primary(Primary&&) noexcept = default;
Primary& Primary::operator=(Primary&&) noexcept = default;
Primary::~Primary() = default;

Stream Primary::stream(StreamId id) noexcept {
  CHECK(id < stream_count());
  return Stream(node_->stream(id));
}

std::uint32_t Primary::stream_count() const noexcept {
  return static_cast<std::uint32_t>(node_->shared().streams.size());
}

std::string Primary::address() const { return node_->address(); }

Epoch Primary::epoch() const noexcept { return node_->shared().epoch; }

PrimaryCounters Primary::counters() const { return node_->counters(); }

Engine& Primary::engine() noexcept { return node_->engine(); }

Result<Outcome> Primary::wait(const Ticket& ticket, const Rule& rule,
                              std::chrono::nanoseconds timeout) {
  if (ticket.stream < stream_count()) return stream(ticket.stream).wait(ticket, rule, timeout);
  return Error(Errc::invalid_option, "ticket: of stream " + std::to_string(ticket.stream) +
                                         ", this primary has " + std::to_string(stream_count()));
}

void Primary::close() { node_->close(); }

}  // namespace quorate
