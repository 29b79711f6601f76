#include "rig.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

namespace quorate::test {

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

PrimaryOptions BothBackends::primary_options() const {
  PrimaryOptions options;
  options.replicas = {"b", "c"};
  options.engine.backend = GetParam();
  // Nothing waits in vain for so long, unless a test says so.
  options.close_timeout = 0ms;
  options.lag.stall_limit = 1h;
  return options;
}

ReplicaOptions BothBackends::replica_options(const Primary& primary,
                                             const std::string& name) const {
  ReplicaOptions options;
  options.name = name;
  options.primary = primary.address();
  options.engine.backend = GetParam();
  options.engine.hosted = true;
  options.backoff_max = 100ms;
  return options;
}

std::string backend_name(const ::testing::TestParamInfo<Backend>& info) {
  return info.param == Backend::epoll ? "Epoll" : "IoUring";
}

// Applied.

void Applied::add(const Record& record) {
  std::lock_guard lock(mutex_);
  texts_[record.stream].emplace_back(record.text());
  Position& end = ends_[record.stream];
  gapless_ = gapless_ && record.begin >= end && record.end > record.begin;
  end = record.end;
  ++count_;
}

std::vector<std::string> Applied::texts(StreamId stream) const {
  std::lock_guard lock(mutex_);
  const auto found = texts_.find(stream);
  return found == texts_.end() ? std::vector<std::string>{} : found->second;
}

std::size_t Applied::count() const {
  std::lock_guard lock(mutex_);
  return count_;
}

bool Applied::gapless() const {
  std::lock_guard lock(mutex_);
  return gapless_;
}

bool Applied::operator==(const Applied& other) const {
  std::scoped_lock lock(mutex_, other.mutex_);
  return texts_ == other.texts_ && ends_ == other.ends_;
}

// RunningReplica.

RunningReplica::RunningReplica(ReplicaOptions options, Apply apply)
    : replica_(Replica::open(std::move(options)).value()), thread_([this, apply] {
        result_ = replica_.run([&](const Record& record) {
          if (apply) apply(record);
          applied_.add(record);
        });
        // The thread that hosts the loop also ends it.
        replica_.close();
      }) {}

void RunningReplica::stop() {
  replica_.stop();
  if (thread_.joinable()) thread_.join();
}

Status RunningReplica::join() {
  if (thread_.joinable()) thread_.join();
  return result_;
}

Ticket append_patiently(Stream stream, std::string_view text) {
  for (;;) {
    const auto ticket = stream.append(text);
    if (ticket) return ticket.value();
    EXPECT_EQ(ticket.error().code, Errc::busy) << ticket.error().text;
    if (ticket.error().code != Errc::busy) return {};
    stream.wait_space(text.size(), kShort);
  }
}

// Looking.

ReplicaStatus status_of(const Stream& stream, const std::string& name) {
  for (const ReplicaStatus& replica : stream.status().replicas) {
    if (replica.name == name) return replica;
  }
  ADD_FAILURE() << "the primary knows no replica " << name;
  return {};
}

std::size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

std::size_t loop_thread_count() {
  std::size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    count += static_cast<std::size_t>(name.starts_with("quorate-"));
  }
  return count;
}

}  // namespace quorate::test
