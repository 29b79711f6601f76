#include "shard/acceptor.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace quorate::shard {

namespace {
constexpr int kBacklog = 128;
/// After an error such as "too many open files".
constexpr std::int64_t kRetry_ns = 100 * kMillisecond_ns;
}  // namespace

Status Acceptor::listen(const std::string& address) {
  auto parsed = reactor::parse_address(address);
  if (!parsed) return Error(parsed.error().code, "listen: " + parsed.error().text);
  auto listener = shard_.reactor().listen(parsed.value(), kBacklog);
  if (!listener) return listener.error();
  listener_ = listener.value();
  auto local = shard_.reactor().local_address(listener_);
  if (!local) return local.error();
  address_ = reactor::to_string(local.value());
  operation_.owner = this;
  operation_.complete = &Acceptor::on_accepted;
  return Done{};
}

void Acceptor::expire(Instant now) {
  if (now >= retry_at_) accept();
}

void Acceptor::accept() {
  retry_at_ = kNever;
  if (stopping_ || operation_.in_flight()) return;
  shard_.reactor().accept(operation_, listener_);
}

void Acceptor::on_accepted(reactor::Operation& operation, std::int32_t result) {
  auto& self = *static_cast<Acceptor*>(operation.owner);
  if (result >= 0) {
    self.driver_.add_link(reactor::Socket{result}, {});
  } else if (!self.stopping_) {
    self.shard_.trace(TraceLevel::warning, std::string("accept: ") + std::strerror(-result));
    self.retry_at_ = self.shard_.now() + kRetry_ns;
    return;
  }
  if (self.stopping_) return self.close();
  self.accept();
}

void Acceptor::stop() {
  stopping_ = true;
  retry_at_ = kNever;
  if (!listener_.valid()) return;
  if (!operation_.in_flight()) return close();
  shard_.reactor().cancel(operation_);
}

void Acceptor::close() { shard_.reactor().close(std::exchange(listener_, reactor::Socket{})); }

}  // namespace quorate::shard
