#pragma once

// The listening socket of a primary. Accepted connections become strangers of the loop it lives on.

#include <string>

#include "reactor/reactor.h"
#include "shard/primary_driver.h"
#include "shard/shard.h"

namespace quorate::shard {

class Acceptor final : public Driver {
 public:
  Acceptor(Shard& shard, PrimaryDriver& driver) : shard_(shard), driver_(driver) {}

  Status listen(const std::string& address);
  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  /// On the loop: no more connections. done() once nothing is in flight.
  void stop();
  [[nodiscard]] bool done() const noexcept { return !listener_.valid(); }

  // Driver
  void expire(Instant now) override;
  void step(Instant) override {}
  void send(Instant) override {}
  void publish(Instant) override {}
  [[nodiscard]] Instant next_deadline(Instant) const override { return retry_at_; }

 private:
  static void on_accepted(reactor::Operation& operation, std::int32_t result);
  void accept();
  void close();

  Shard& shard_;
  PrimaryDriver& driver_;
  reactor::Socket listener_;
  reactor::Operation operation_;
  std::string address_;
  Instant retry_at_ = 0;  ///< when to accept (again); the first turn starts it
  bool stopping_ = false;
};

}  // namespace quorate::shard
