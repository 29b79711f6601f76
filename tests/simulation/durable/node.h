#pragma once

// One life of a process with a directory: begins on a host, recovers what its disk holds, and ends
// at any moment, also inside of a call. Its handles go later, by the world, when no call is inside.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quorate/engine.h"
#include "tests/simulation/durable/counts.h"
#include "tests/simulation/durable/oracle.h"
#include "tests/simulation/durable/settings.h"
#include "tests/simulation/system/network.h"
#include "tests/simulation/world/loops.h"

namespace quorate::simulation::durable {

/// What nodes tell their world.
struct Watcher {
  virtual void trace(const std::string& who, const std::string& text) = 0;
  [[nodiscard]] virtual bool tracing() const = 0;
  virtual void fail(const std::string& what) = 0;
  virtual Counts& counts() = 0;
  /// The oracle is to know what the primary shows now.
  virtual void look_at_primary() = 0;

 protected:
  ~Watcher() = default;
};

struct Surroundings {
  Network& network;
  Oracle& oracle;
  Watcher& watcher;
  const Settings& settings;
  std::string root;  ///< of the directories; locks in them are real files
};

class Node {
 public:
  Node(const Surroundings& world, HostId host, std::uint32_t number, std::string name);
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// The world goes on meanwhile, and may kill it. `examines`: its logs are looked at first.
  void open(bool examines);
  /// Cleanly, as far as the disk and the world allow. The process has ended afterwards.
  void close();
  void kill(Ending ending);
  /// Stops it as SIGSTOP does, or lets it go on.
  void pause(bool on);
  /// Gives back what it held of the program that simulates. True when that could be done.
  bool bury();

  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] bool opening() const noexcept { return opening_; }
  /// Its program has learned that this life is of no use any more.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  /// A call of its program is running.
  [[nodiscard]] bool busy() const noexcept { return process_ != nullptr && process_->blocked(); }
  [[nodiscard]] bool paused() const noexcept { return process_ != nullptr && process_->paused(); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] HostId host() const noexcept { return host_; }
  [[nodiscard]] std::string stream_path(StreamId stream) const;

 protected:
  virtual Status open_handle() = 0;
  virtual void on_opened() = 0;
  virtual void after_turn() = 0;
  [[nodiscard]] virtual std::uint32_t loops() const = 0;
  virtual void close_handle() = 0;
  virtual void drop_handle() = 0;
  /// The process ends now, perhaps inside of a call.
  virtual void on_ending() {}
  virtual void on_trace(std::string_view text) = 0;
  virtual void on_found(StreamId stream, Position first, Position end) = 0;

  void lose(const std::string& why);
  [[nodiscard]] Disk& disk() { return world_.network.host(host_).disk; }
  [[nodiscard]] Counts& counts() { return world_.watcher.counts(); }
  [[nodiscard]] std::string directory() const { return world_.root + "/" + name_; }

  const Surroundings world_;
  const HostId host_;
  const std::uint32_t number_;  ///< for the oracle
  const std::string name_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<Engine> engine_;

 private:
  void begin_process();
  void make_root();
  void examine();
  void examine_stream(reactor::Reactor& reactor, StreamId stream);
  [[nodiscard]] std::uint64_t disk_refusals();

  bool opening_ = false;
  bool ended_ = false;
  bool buried_ = false;
  bool lost_ = false;
  bool reopened_ = false;
};

}  // namespace quorate::simulation::durable
