// query_status(): one client connection on a reactor of its own.

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/check.h"
#include "quorate/status.h"
#include "reactor/reactor.h"
#include "transport/codec.h"
#include "transport/connection.h"
#include "wire/frame.h"
#include "wire/version.h"

namespace quorate::shard {

namespace {

/// The largest answer and its envelope.
constexpr std::uint32_t kStagingBytes = (1u << 20) + 4096;

class StatusClient final : public transport::Connection::Sink {
 public:
  StatusClient(const StatusQuery& query, reactor::Reactor& reactor)
      : query_(query), reactor_(reactor) {
    connect_.owner = this;
    connect_.complete = &StatusClient::on_connected;
  }
  Result<NodeStatus> ask(const reactor::Address& address);

  void on_message(const wire::Envelope& envelope, std::span<const std::byte> body) override;
  std::byte* on_frame_header(const wire::Envelope&, const wire::FrameHeader&) override {
    end(Error(Errc::corrupt, "the peer sent a frame"));
    return nullptr;
  }
  void on_frame(const wire::Envelope&, const wire::FrameHeader&) override {}
  void on_send_ready() override {}
  void on_closed(const std::string& why) override {
    closed_ = true;
    end(Error(Errc::unreachable, query_.address + ": " + why));
  }

 private:
  static void on_connected(reactor::Operation& operation, std::int32_t result);
  void say_hello();
  void ask_next();
  void on_status(std::span<const std::byte> body);
  /// The first end counts.
  void end(Error error) {
    if (!done_) error_ = std::move(error);
    done_ = true;
  }

  const StatusQuery& query_;
  reactor::Reactor& reactor_;
  reactor::Operation connect_;
  std::unique_ptr<transport::Connection> connection_;
  transport::Encoder encoder_;
  NodeStatus status_;
  Error error_;
  bool done_ = false;
  bool complete_ = false;
  bool closed_ = false;
};

Result<NodeStatus> StatusClient::ask(const reactor::Address& address) {
  const Instant deadline = reactor_.now() + query_.timeout.count() * kMillisecond_ns;
  reactor_.connect(connect_, address);
  while (!done_ && reactor_.now() < deadline) {
    if (connection_ && connection_->open()) connection_->submit();
    reactor_.wait(deadline);
    reactor_.reap();
  }
  end(Error(Errc::timed_out, query_.address + ": no answer within " +
                                 std::to_string(query_.timeout.count()) + " ms"));
  if (connect_.in_flight()) reactor_.cancel(connect_);
  if (connection_ && !closed_) connection_->shut_down("done");
  while (connect_.in_flight() || (connection_ && !closed_)) {
    reactor_.wait(reactor_.now() + kMillisecond_ns);
    reactor_.reap();
  }
  if (complete_) return std::move(status_);
  return error_;
}

void StatusClient::on_connected(reactor::Operation& operation, std::int32_t result) {
  auto& self = *static_cast<StatusClient*>(operation.owner);
  if (result < 0) {
    return self.end(Error(Errc::unreachable,
                          self.query_.address + ": " + std::strerror(-result),
                          -result));
  }
  if (self.done_) return self.reactor_.close(reactor::Socket{result});
  self.connection_ = std::make_unique<transport::Connection>(
      self.reactor_, reactor::Socket{result}, self, transport::Connection::Options{});
  self.connection_->admit(kStagingBytes, 0);
  self.say_hello();
  self.connection_->start();
}

void StatusClient::say_hello() {
  core::Hello hello;
  hello.cluster = query_.cluster;
  hello.node = "status";
  hello.role = core::Role::client;
  hello.version_min = wire::kVersionMin;
  hello.version_max = wire::kVersionMax;
  hello.capabilities = wire::kCapabilities;
  connection_->queue_control(wire::MessageType::hello, encoder_.hello(hello));
}

void StatusClient::ask_next() {
  const auto got = static_cast<std::uint32_t>(status_.streams.size());
  connection_->queue_control(wire::MessageType::status_request,
                             encoder_.status_request(query_.first + got, query_.count - got));
}

void StatusClient::on_message(const wire::Envelope& envelope, std::span<const std::byte> body) {
  using Type = wire::MessageType;
  if (envelope.type == Type::status) return on_status(body);
  if (envelope.type == Type::welcome) {
    core::Welcome welcome;
    if (!transport::decode_welcome(body, welcome)) {
      return end(Error(Errc::corrupt, "welcome is malformed"));
    }
    status_.node = welcome.node;
    connection_->set_session(welcome.session, welcome.epoch);
    return ask_next();
  }
  core::Goodbye goodbye;
  if (envelope.type == Type::goodbye && transport::decode_goodbye(body, goodbye)) {
    const bool differs = goodbye.reason == core::GoodbyeReason::wrong_cluster ||
                         goodbye.reason == core::GoodbyeReason::incompatible_version;
    return end(Error(differs ? Errc::incompatible : Errc::unreachable,
                     "refused (" + std::string(core::to_string(goodbye.reason)) +
                         "): " + goodbye.text));
  }
  end(Error(Errc::corrupt, "unexpected message"));
}

void StatusClient::on_status(std::span<const std::byte> body) {
  const std::size_t before = status_.streams.size();
  if (!transport::decode_status(body, status_.streams_total, status_.streams)) {
    return end(Error(Errc::corrupt, "answer is malformed"));
  }
  const std::uint64_t there =
      status_.streams_total > query_.first ? status_.streams_total - query_.first : 0;
  const std::uint64_t wanted = std::min<std::uint64_t>(query_.count, there);
  complete_ = status_.streams.size() >= wanted;
  if (complete_) {
    done_ = true;
  } else if (status_.streams.size() == before) {
    end(Error(Errc::corrupt, "the primary answers with fewer streams than it has"));
  } else {
    ask_next();
  }
}

}  // namespace
}  // namespace quorate::shard

namespace quorate {

Result<NodeStatus> query_status(const StatusQuery& query) {
  if (query.count < 1 || query.count > kStreamsMax) {
    return Error(Errc::invalid_option, "count: found " + std::to_string(query.count) +
                                           ", allowed 1…" + std::to_string(kStreamsMax));
  }
  if (query.timeout.count() < 1 || query.timeout.count() > 3'600'000) {
    return Error(Errc::invalid_option, "timeout: found " + std::to_string(query.timeout.count()) +
                                           " ms, allowed 1…3600000 ms");
  }
  if (query.cluster.empty() || query.cluster.size() > 64) {
    return Error(Errc::invalid_option, "cluster: found " + std::to_string(query.cluster.size()) +
                                           " bytes, allowed 1…64 bytes");
  }
  auto address = reactor::parse_address(query.address);
  if (!address) return address.error();
  std::string why;
  auto reactor = reactor::make_reactor(Backend::automatic, why);
  if (!reactor) return reactor.error();
  return shard::StatusClient(query, *reactor.value()).ask(address.value());
}

}  // namespace quorate
