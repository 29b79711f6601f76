#pragma once

// A reactor whose files are those of another one, but for operations that it is told to refuse. It
// counts the operations that could be refused, and its clock goes on only when it is told to.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/completion_queue.h"
#include "reactor/reactor.h"

namespace quorate::log {

/// What is refused, and how.
struct Refusal {
  std::uint64_t first = 0;      ///< the first operation of those that count; 0: none
  bool for_ever = false;        ///< all that follow too
  std::int32_t result = 0;      ///< a negated errno
  bool space_only = false;      ///< only what takes space counts: making a segment's file
  bool takes_effect = false;    ///< it was done all the same, but for an open
};

class FailingReactor final : public reactor::Reactor, private reactor::Files {
 public:
  FailingReactor(std::unique_ptr<reactor::Reactor> inner, const Refusal& refusal)
      : inner_(std::move(inner)), refusal_(refusal) {}

  [[nodiscard]] std::uint64_t counted() const noexcept { return counted_; }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
  /// Kind and path of the first one.
  [[nodiscard]] const std::string& first_refused() const noexcept { return first_refused_; }
  /// From now on everything is done.
  void refuse_nothing() noexcept { refusal_ = Refusal(); }
  void let_pass(std::int64_t ns) noexcept { now_ += ns; }

  [[nodiscard]] std::string_view name() const noexcept override { return inner_->name(); }
  [[nodiscard]] Instant now() const noexcept override { return now_; }
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
  void cancel(reactor::Operation&) override { UNREACHABLE(); }
  void shutdown(reactor::Socket) noexcept override {}
  void shutdown_send(reactor::Socket) noexcept override {}
  void close(reactor::Socket) noexcept override {}
  void release(reactor::Socket) noexcept override {}
  void adopt(reactor::Socket) noexcept override {}
  void wait(Instant deadline) override;
  [[nodiscard]] bool ready() const noexcept override {
    return !completed_.empty() || inner_->ready();
  }
  std::size_t reap() override { return inner_->reap() + completed_.deliver(); }
  void wake() noexcept override { inner_->wake(); }
  [[nodiscard]] int event_fd() noexcept override { return inner_->event_fd(); }
  [[nodiscard]] reactor::Files& files() noexcept override { return *this; }
  Result<std::unique_ptr<reactor::Reactor>> sibling() override { UNREACHABLE(); }
  [[nodiscard]] std::uint64_t system_calls() const noexcept override { return 0; }

 private:
  /// What stands for an operation below; made anew for each, so that its owner may go on at once.
  struct Shadow {
    reactor::Operation below;
    reactor::Operation* above = nullptr;
    FailingReactor* owner = nullptr;
    std::string path;       ///< of an open
    std::int32_t instead = 0;
  };

  void open(reactor::Operation& operation, const char* path, reactor::OpenMode mode,
            bool direct) override;
  void preallocate(reactor::Operation& operation, reactor::File file, std::uint64_t offset,
                   std::uint64_t bytes) override;
  void read(reactor::Operation& operation, reactor::File file, std::span<const iovec> buffers,
            std::uint64_t offset) override;
  void write(reactor::Operation& operation, reactor::File file, std::span<const iovec> buffers,
             std::uint64_t offset, bool durable) override;
  void sync(reactor::Operation& operation, reactor::File file) override;
  void truncate(reactor::Operation& operation, reactor::File file, std::uint64_t bytes) override;
  void rename(reactor::Operation& operation, const char* from, const char* to) override;
  void remove(reactor::Operation& operation, const char* path) override;
  void close(reactor::File file) noexcept override { inner_->files().close(file); }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return inner_->files().list(directory);
  }
  Result<std::uint64_t> size(reactor::File file) override { return inner_->files().size(file); }
  Status make_directory(const std::string& path) override {
    return inner_->files().make_directory(path);
  }

  template <typename Start>
  void start(reactor::Operation& operation, const char* kind, const std::string& path,
             const Start& start);
  [[nodiscard]] bool refuses(const char* kind, const std::string& path);
  void on_done(Shadow& shadow, std::int32_t result);
  const std::string& path_of(reactor::File file) { return paths_[file.id]; }

  std::unique_ptr<reactor::Reactor> inner_;
  Refusal refusal_;
  std::uint64_t counted_ = 0;
  std::uint64_t refused_ = 0;
  std::string first_refused_;
  std::uint64_t below_ = 0;  ///< in flight in the inner reactor
  Instant now_ = 1;
  std::map<std::int32_t, std::string> paths_;
  reactor::CompletionQueue completed_;
};

}  // namespace quorate::log
