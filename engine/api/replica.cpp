#include "quorate/replica.h"

#include <utility>

#include "shard/replica_node.h"

namespace quorate {

Result<Replica> Replica::open(ReplicaOptions options) {
  if (auto valid = options.validate(); !valid) return valid.error();
  auto engine = Engine::open(options.engine);
  if (!engine) return engine.error();
  auto node = shard::ReplicaNode::open(std::make_unique<Engine>(std::move(engine).value()), nullptr,
                                       std::move(options));
  if (!node) return node.error();
  return Replica(std::move(node).value());
}

Result<Replica> Replica::open(Engine& engine, ReplicaOptions options) {
  if (auto valid = options.validate(); !valid) return valid.error();
  auto node = shard::ReplicaNode::open(nullptr, &engine, std::move(options));
  if (!node) return node.error();
  return Replica(std::move(node).value());
}

Replica::Replica(std::unique_ptr<shard::ReplicaNode> node) : node_(std::move(node)) {}
Replica::Replica(Replica&&) noexcept = default;
Replica& Replica::operator=(Replica&&) noexcept = default;
Replica::~Replica() = default;

Status Replica::run(const Apply& apply) { return node_->run(apply); }

Result<std::size_t> Replica::poll(const Apply& apply, std::size_t records_max,
                                  std::chrono::nanoseconds timeout) {
  return node_->poll(apply, records_max, timeout);
}

void Replica::stop() noexcept { node_->stop(); }

Status Replica::confirm(StreamId stream, Position position) {
  return node_->confirm(stream, position);
}

ReplicaReport Replica::report() const { return node_->report(); }

Engine& Replica::engine() noexcept { return node_->engine(); }

void Replica::close() { node_->close(); }

}  // namespace quorate
