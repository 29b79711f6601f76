#include "tests/unit/shard/hostile_rig.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "wire/crc32c.h"

namespace quorate::shard {

using namespace std::chrono_literals;

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return condition();
}

namespace {

constexpr int kRefusalsMax = 10'000;

ReplicaOptions with_install(ReplicaOptions options, Install install) {
  options.install = std::move(install);
  return options;
}

}  // namespace

Follower::Follower(ReplicaOptions options)
    : end_(options.resume_after.empty() ? 0 : options.resume_after[0]),
      replica_(Replica::open(with_install(std::move(options),
                                          [this](const Snapshot& snapshot) -> Status {
                                            std::lock_guard lock(mutex_);
                                            installed_.push_back(snapshot.position);
                                            end_ = snapshot.position;
                                            return Done{};
                                          }))
                   .value()),
      thread_([this] {
        static_cast<void>(replica_.run([this](const Record& record) {
          std::lock_guard lock(mutex_);
          EXPECT_EQ(record.begin, end_);
          end_ = record.end;
        }));
      }) {}

Follower::~Follower() {
  replica_.stop();
  thread_.join();
  replica_.close();
}

Position Follower::end() const {
  std::lock_guard lock(mutex_);
  return end_;
}

std::vector<Position> Follower::installed() const {
  std::lock_guard lock(mutex_);
  return installed_;
}

AfterAnHonestPrimary::AfterAnHonestPrimary() : bytes_(300'000) {
  std::string name = (std::filesystem::temp_directory_path() / "quorate-hostile-XXXXXX").string();
  path_ = mkdtemp(name.data());
  std::uint32_t value = 1;
  for (std::byte& byte : bytes_) byte = static_cast<std::byte>((value = value * 1664525 + 1) >> 24);
  begin_honest();
  write(20);
}

AfterAnHonestPrimary::~AfterAnHonestPrimary() {
  follower_.reset();
  hostile_.reset();
  honest_.reset();
  std::filesystem::remove_all(path_);
}

ReplicaOptions AfterAnHonestPrimary::replica_options() const {
  ReplicaOptions options;
  options.directory = path_ + "/b";
  options.storage.segment_bytes = 8u << 20;
  options.primary = address_;
  options.resume_after = {end_};
  options.backoff_min = 1ms;
  options.backoff_max = 5ms;
  options.peer_timeout = 60s;
  options.engine.backend = GetParam();
  return options;
}

void AfterAnHonestPrimary::begin_honest() {
  PrimaryOptions options;
  options.directory = path_ + "/a";
  options.listen = address_;
  options.storage.segment_bytes = 8u << 20;
  options.storage.retain_bytes = 8u << 20;
  options.storage.retain_bytes_hard = 32u << 20;
  options.replicas = {"b"};
  options.protected_copies = 1;
  options.lag.kind = LagPolicy::Kind::drop;
  options.engine.backend = GetParam();
  honest_.emplace(Primary::open(options).value());
  address_ = honest_->address();
  epoch_ = honest_->stream().status().epoch;
}

void AfterAnHonestPrimary::end_honest() {
  honest_->close();
  honest_.reset();
}

void AfterAnHonestPrimary::write(int count, std::size_t record_bytes) {
  const std::string payload(record_bytes, 'x');
  Ticket last;
  for (int i = 0; i < count; ++i) {
    auto ticket = honest_->append(payload);
    while (!ticket && ticket.error().code == Errc::busy) {
      ASSERT_TRUE(honest_->stream().wait_space(payload.size(), 60s));
      ticket = honest_->append(payload);
    }
    ASSERT_TRUE(ticket.has_value()) << ticket.error().text;
    last = ticket.value();
  }
  ASSERT_TRUE(honest_->wait(last, async(Level::durable), 60s).value().released());
  ASSERT_TRUE(eventually([&] { return honest_->stream().status().committed >= last.end; }));
  end_ = last.end;
}

void AfterAnHonestPrimary::take_honest_snapshot() {
  while (honest_->stream().status().log_first == 0) {
    write(200, 16'000);
    ASSERT_FALSE(HasFatalFailure());
  }
  const std::string file = path_ + "/honest";
  std::ofstream(file) << "as of " << end_;
  ASSERT_TRUE(honest_->stream().offer_snapshot(file, end_).has_value());
  ReplicaOptions options = replica_options();
  options.resume_after.clear();
  Follower follower(std::move(options));
  ASSERT_TRUE(eventually([&] { return follower.end() == end_; }));
  ASSERT_EQ(follower.installed().size(), 1u);
}

HostilePrimary& AfterAnHonestPrimary::begin_hostile() {
  if (snapshot_files().count == 0) {
    ReplicaOptions options = replica_options();
    options.resume_after.clear();
    Follower follower(std::move(options));
    EXPECT_TRUE(eventually([&] { return follower.end() == end_; }));
  }
  end_honest();
  const auto port = static_cast<std::uint16_t>(
      std::stoul(address_.substr(address_.rfind(':') + 1)));
  follower_ = std::make_unique<Follower>(replica_options());
  hostile_ = std::make_unique<HostilePrimary>(port, epoch_);
  held_ = hostile_->claim();
  EXPECT_EQ(held_.position, end_);
  return *hostile_;
}

core::SnapshotHead AfterAnHonestPrimary::good_head() const {
  const Position position = end_ + 8000;
  return {0, 99, position, epoch_, 11, position, bytes_.size(), wire::crc32c(bytes_), true};
}

void AfterAnHonestPrimary::expect_held(const core::ResumeClaim& claim) const {
  EXPECT_EQ(claim.position, held_.position);
  EXPECT_EQ(claim.epoch, held_.epoch);
  EXPECT_EQ(claim.checksum, held_.checksum);
}

void AfterAnHonestPrimary::expect_refused(HostileSession session, const std::string& reason) {
  {
    HostileSession ending = std::move(session);
    EXPECT_EQ(ending.until_closed(), reason);
  }
  expect_held(hostile_->claim());
}

HostileSession AfterAnHonestPrimary::promised(Position position) {
  HostileSession session = hostile_->catch_up(position);
  session.say_verdict(core::Verdict::snapshot, position);
  return session;
}

/// While files of the offer before are still being written or removed, another one is in the way.
HostileSession AfterAnHonestPrimary::asked(const core::SnapshotHead& head) {
  for (int refusals = 0; refusals < kRefusalsMax; ++refusals) {
    {
      HostileSession session = promised(head.position);
      session.say_begin(head);
      if (const auto request = session.hear_request()) {
        EXPECT_EQ(request->id, head.id);
        EXPECT_EQ(request->offset, 0u);
        return session;
      }
    }
    expect_held(hostile_->claim());
  }
  throw std::runtime_error("the replica never asks for a snapshot");
}

AfterAnHonestPrimary::Files AfterAnHonestPrimary::snapshot_files() const {
  Files files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(stream_directory(), ignored)) {
    if (!entry.path().filename().string().starts_with("snapshot-")) continue;
    ++files.count;
    if (entry.path().extension() != ".head") files.bytes += entry.file_size(ignored);
  }
  return files;
}

void AfterAnHonestPrimary::expect_unharmed() {
  hostile_.reset();
  begin_honest();
  write(5);
  EXPECT_TRUE(eventually([&] { return follower_->end() == end_; }))
      << follower_->end() << " of " << end_ << ": " << follower_->replica().report().reason;
  EXPECT_TRUE(follower_->installed().empty());
}

}  // namespace quorate::shard
