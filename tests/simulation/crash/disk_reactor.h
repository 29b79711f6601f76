#pragma once

// A reactor of a process that has a disk and no network. Each event of the disk is a moment at
// which the power may fail; then whatever is in flight, and whatever follows, fails.

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "base/check.h"
#include "reactor/completion_queue.h"
#include "reactor/reactor.h"
#include "tests/simulation/system/disk.h"

namespace quorate::simulation {

class DiskReactor final : public reactor::Reactor, private FileCompletion {
 public:
  /// `before_event` may cut the power.
  DiskReactor(Scheduler& scheduler, Disk& disk, Draw draw, std::function<void()> before_event)
      : scheduler_(scheduler),
        disk_(disk),
        draw_(draw),
        before_event_(std::move(before_event)),
        files_(disk.make_files(*this, Draw(draw_.bits()))) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "disk"; }
  [[nodiscard]] Instant now() const noexcept override { return scheduler_.now(); }
  void set_socket_options(reactor::SocketOptions) override {}
  Result<reactor::Socket> listen(const reactor::Address&, int) override { UNREACHABLE(); }
  Result<reactor::Address> local_address(reactor::Socket) const override { UNREACHABLE(); }
  void accept(reactor::Operation&, reactor::Socket) override { UNREACHABLE(); }
  void connect(reactor::Operation&, const reactor::Address&) override { UNREACHABLE(); }
  void receive(reactor::Operation&, reactor::Socket, std::span<const iovec>) override {
    UNREACHABLE();
  }
  void send(reactor::Operation&, reactor::Socket, std::span<const iovec>) override {
    UNREACHABLE();
  }
  void cancel(reactor::Operation& operation) override { disk_.cancel(operation); }
  void shutdown(reactor::Socket) noexcept override {}
  void shutdown_send(reactor::Socket) noexcept override {}
  void close(reactor::Socket) noexcept override {}
  void release(reactor::Socket) noexcept override {}
  void adopt(reactor::Socket) noexcept override {}
  /// Until something has completed, or nothing happens any more.
  void wait(Instant) override {
    while (completed_.empty()) {
      before_event_();
      if (completed_.empty() && !scheduler_.run_one()) return;
    }
  }
  [[nodiscard]] bool ready() const noexcept override { return !completed_.empty(); }
  std::size_t reap() override { return completed_.deliver(); }
  void wake() noexcept override {}
  [[nodiscard]] int event_fd() noexcept override { return -1; }
  [[nodiscard]] reactor::Files& files() noexcept override { return *files_; }
  Result<std::unique_ptr<reactor::Reactor>> sibling() override { UNREACHABLE(); }
  [[nodiscard]] std::uint64_t random_seed() noexcept override { return draw_.bits(); }
  [[nodiscard]] std::uint64_t system_calls() const noexcept override { return 0; }

 private:
  void on_file_done(reactor::Operation& operation, std::int32_t result) override {
    completed_.push(operation, result);
  }

  Scheduler& scheduler_;
  Disk& disk_;
  Draw draw_;
  const std::function<void()> before_event_;
  reactor::CompletionQueue completed_;
  std::unique_ptr<reactor::Files> files_;
};

}  // namespace quorate::simulation
