#include "tests/simulation/world/stranger.h"

#include <string>
#include <utility>

#include "tests/simulation/system/address.h"
#include "tests/simulation/world/plan.h"
#include "tests/simulation/world/units.h"
#include "transport/codec.h"
#include "wire/version.h"

namespace quorate::simulation {

Stranger::Stranger(Network& network, HostId host, HostId primary, std::uint32_t connections,
                   std::uint32_t replicas, Draw draw)
    : draw_(draw), process_(network.start_process(host)), reactor_(process_->make_reactor()) {
  process_->drive(*reactor_, [this] {
    reactor_->reap();
    reactor_->wait(kNever);
  });
  for (std::uint32_t i = 0; i < connections; ++i) {
    callers_.push_back(std::make_unique<Caller>());
    Caller& caller = *callers_.back();
    caller.stranger = this;
    caller.says = words(replicas);
    caller.dialing.owner = caller.sending.owner = caller.receiving.owner = &caller;
    caller.dialing.complete = &Stranger::on_connected;
    caller.sending.complete = &Stranger::on_sent;
    caller.receiving.complete = &Stranger::on_received;
    reactor_->connect(caller.dialing, address_at(primary, kPrimaryPort));
  }
  reactor_->wake();
}

Stranger::~Stranger() { leave(Ending::process); }

void Stranger::leave(Ending ending) {
  process_->kill(ending);
  // What was in flight has ended with an error, and nobody starts anything new.
  for (const auto& caller : callers_) caller->socket = {};
  while (reactor_->ready()) reactor_->reap();
}

std::vector<std::byte> Stranger::noise(std::size_t bytes_max) {
  std::vector<std::byte> bytes(
      static_cast<std::size_t>(draw_.magnitude(1, static_cast<std::int64_t>(bytes_max))));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(draw_.bits());
  return bytes;
}

std::vector<std::byte> Stranger::hello(std::uint32_t replicas) {
  core::Hello hello;
  hello.cluster = draw_.chance(900) ? "quorate" : "another";
  hello.node = "r" + std::to_string(draw_.between(1, replicas + 1));
  hello.role = draw_.chance(700) ? core::Role::replica : core::Role::client;
  hello.version_min = draw_.chance(900) ? wire::kVersionMin : 9999;
  hello.version_max = draw_.chance(900) ? wire::kVersionMax : 9999;
  hello.loop = static_cast<std::uint32_t>(draw_.between(0, 2));
  hello.incarnation = draw_.bits() | 1;
  hello.heartbeat_ms = static_cast<std::uint32_t>(draw_.magnitude(1, 1'000'000));
  hello.ring_bytes = static_cast<std::uint64_t>(draw_.magnitude(1, 1 << 20));
  transport::Encoder encoder;
  wire::Envelope envelope;
  envelope.type = wire::MessageType::hello;
  return make_unit(envelope, encoder.hello(hello));
}

std::vector<std::byte> Stranger::words(std::uint32_t replicas) {
  if (draw_.chance(150)) return {};
  if (draw_.chance(250)) return noise(64 << 10);
  std::vector<std::byte> bytes = hello(replicas);
  if (draw_.chance(200)) {
    bytes.resize(static_cast<std::size_t>(
        draw_.between(1, static_cast<std::int64_t>(bytes.size()) - 1)));
  }
  if (draw_.chance(300)) {
    const std::vector<std::byte> more = noise(4096);
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  if (draw_.chance(200)) {
    // As large as an envelope can say: nobody may make room for it.
    wire::Envelope envelope;
    envelope.type = wire::MessageType::hello;
    envelope.body_bytes = ~std::uint32_t{0};
    bytes.resize(wire::kEnvelopeBytes);
    wire::encode_envelope(envelope, std::span(bytes).first<wire::kEnvelopeBytes>());
  }
  return bytes;
}

void Stranger::on_connected(reactor::Operation& operation, std::int32_t result) {
  Caller& caller = *static_cast<Caller*>(operation.owner);
  Stranger& self = *caller.stranger;
  if (result < 0 || self.process_->dead()) return;
  caller.socket = reactor::Socket{result};
  self.hear(caller);
  if (caller.says.empty()) return;
  caller.out = {caller.says.data(), caller.says.size()};
  self.reactor_->send(caller.sending, caller.socket, {&caller.out, 1});
}

void Stranger::on_sent(reactor::Operation& operation, std::int32_t) {
  Caller& caller = *static_cast<Caller*>(operation.owner);
  if (caller.over && caller.socket.valid()) caller.stranger->hang_up(caller);
}

void Stranger::hang_up(Caller& caller) {
  if (!process_->dead()) reactor_->close(std::exchange(caller.socket, reactor::Socket{}));
}

void Stranger::on_received(reactor::Operation& operation, std::int32_t result) {
  Caller& caller = *static_cast<Caller*>(operation.owner);
  Stranger& self = *caller.stranger;
  if (self.process_->dead() || !caller.socket.valid()) return;
  if (result > 0) return self.hear(caller);
  caller.over = true;
  if (caller.sending.in_flight()) return self.reactor_->cancel(caller.sending);
  self.hang_up(caller);
}

void Stranger::hear(Caller& caller) {
  caller.in = {caller.hears.data(), caller.hears.size()};
  reactor_->receive(caller.receiving, caller.socket, {&caller.in, 1});
}

}  // namespace quorate::simulation
