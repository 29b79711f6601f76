#pragma once

// What the tests of the public API have in common: primaries and replicas in this process, on
// either backend, and waiting for something to become true.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "quorate/primary.h"
#include "quorate/replica.h"

namespace quorate::test {

using namespace std::chrono_literals;

/// Far longer than anything takes: only a test that fails ever waits so long.
inline constexpr std::chrono::seconds kLong{60};
/// For what will not happen: long enough to be a wait, short enough not to be noticed.
inline constexpr std::chrono::milliseconds kShort{20};

/// Asks again and again until the condition holds. False when it never did.
bool eventually(const std::function<bool()>& condition);

/// Both backends where I/O matters.
class BothBackends : public ::testing::TestWithParam<Backend> {
 protected:
  /// A primary "a" with replicas "b" and "c" whose loop has a thread of its own.
  [[nodiscard]] PrimaryOptions primary_options() const;
  /// A replica that hosts its loop on the thread that applies.
  [[nodiscard]] ReplicaOptions replica_options(const Primary& primary,
                                               const std::string& name) const;
};
std::string backend_name(const ::testing::TestParamInfo<Backend>& info);

#define QUORATE_BOTH_BACKENDS(suite)                                                        \
  INSTANTIATE_TEST_SUITE_P(On, suite, ::testing::Values(Backend::io_uring, Backend::epoll), \
                           test::backend_name)

/// What a replica was given to apply, by stream. From any thread.
class Applied {
 public:
  void add(const Record& record);
  [[nodiscard]] std::vector<std::string> texts(StreamId stream = 0) const;
  [[nodiscard]] std::size_t count() const;
  /// False once a record did not begin where its predecessor ended.
  [[nodiscard]] bool gapless() const;
  [[nodiscard]] bool operator==(const Applied& other) const;

 private:
  mutable std::mutex mutex_;
  std::map<StreamId, std::vector<std::string>> texts_;
  std::map<StreamId, Position> ends_;
  std::size_t count_ = 0;
  bool gapless_ = true;
};

/// A replica that runs on a thread of its own, from construction until stop() or its own end.
class RunningReplica {
 public:
  explicit RunningReplica(ReplicaOptions options, Apply apply = {});
  ~RunningReplica() { stop(); }

  [[nodiscard]] Replica& replica() { return replica_; }
  [[nodiscard]] const Applied& applied() const { return applied_; }
  /// Ends run() and closes the replica.
  void stop();
  /// Waits until run() has ended by itself and returns what it answered.
  Status join();

 private:
  Replica replica_;
  Applied applied_;
  Status result_ = Done{};
  std::thread thread_;
};

/// The replicas of one primary by name, all running.
using Replicas = std::map<std::string, std::unique_ptr<RunningReplica>>;

/// Appends, waiting for space as long as the stream is busy.
Ticket append_patiently(Stream stream, std::string_view text);

/// What the primary knows of a replica on a stream.
ReplicaStatus status_of(const Stream& stream, const std::string& name);

/// Threads of this process.
std::size_t thread_count();
/// Of those, the ones that carry the name of an engine-owned loop.
std::size_t loop_thread_count();

}  // namespace quorate::test
