#include "tests/simulation/crash/stream_host.h"

#include <algorithm>
#include <span>
#include <utility>

#include "tests/support/log_frames.h"
#include "wire/crc32c.h"
#include "wire/limits.h"

namespace quorate::simulation {

namespace {

const std::string kNode = "/node";
constexpr std::uint64_t kRoundsMax = 1'000'000;  ///< of one life: more is a life that hangs
constexpr std::uint64_t kSegment_bytes = 64u << 10;
constexpr std::size_t kFile_bytes = 70'000;  ///< two pieces

}  // namespace

StreamHost::StreamHost(std::uint64_t seed, bool direct)
    : scheduler_(seed), disk_(scheduler_, Draw::of(seed, "disk")), draw_(Draw::of(seed, "stream")) {
  storage_.segment_bytes = kSegment_bytes;
  storage_.direct = direct;
  storage_.retain_bytes = 2 * kSegment_bytes;
  storage_.retain_bytes_hard = 0;
  options_.limits.segment_bytes = kSegment_bytes;
  options_.limits.unit_bytes_max = 16u << 10;
  options_.limits.units_in_flight = 4;
  options_.direct = direct;
  const auto reactor = make_reactor();
  log::BlockingFiles blocking(reactor->files(), [&] {
    reactor->wait(kNever);
    reactor->reap();
  });
  if (!reactor->files().make_directory(kNode) || !blocking.sync_directory("/")) {
    violate("no directory");
  }
}

void StreamHost::violate(const std::string& text) {
  if (violation_.empty()) violation_ = text;
}

std::unique_ptr<DiskReactor> StreamHost::make_reactor() {
  return std::make_unique<DiskReactor>(scheduler_, disk_, Draw(draw_.bits()), [this] {
    if (++events_ >= life_.power_at) lose_power();
  });
}

void StreamHost::lose_power() {
  if (std::exchange(dead_, true)) return;
  disk_.power_loss();
}

void StreamHost::live(const StreamLife& life) {
  life_ = life;
  events_ = 0;
  dead_ = false;
  if (const auto opened = open()) run(*opened);
  lose_power();
}

std::optional<shard::OpenedLog> StreamHost::open() {
  shard::LogOpening opening(make_reactor(), storage_);
  auto opened = opening.open_stream(kNode, 0);
  if (dead_) return std::nullopt;
  if (!opened) {
    violate(opened.error().text);
    return std::nullopt;
  }
  const Status found = opening.find_snapshots(*opened, 0);
  if (dead_) return std::nullopt;
  if (!found) violate(found.error().text);
  judge(*opened);
  if (!violation_.empty()) return std::nullopt;
  const Status begun = opening.begin(*opened, {++epoch_, 3});
  if (dead_ || !begun) return std::nullopt;
  return std::move(opened).value();
}

// Judging.

void StreamHost::judge(const shard::OpenedLog& opened) {
  const log::Recovered& found = opened.found;
  if (found.state != log::RecoveryState::whole) return violate("not whole: " + found.why);
  judge_beginning(opened);
  const log::LogEnd& end = found.start.end;
  if (end.position < durable_) {
    violate("durable " + std::to_string(durable_) + ", found " + std::to_string(end.position));
  }
  if (end.position > end_.position) violate("more than was appended");
  if (found.first.position > first_) {
    violate("kept from " + std::to_string(first_) + ", found from " +
            std::to_string(found.first.position));
  }
  const shard::FoundSnapshots& snapshots = opened.snapshots;
  if (snapshots.base) judge_snapshot(opened, *snapshots.base);
  if (snapshots.held && snapshots.held->whole) judge_snapshot(opened, snapshots.held->head);
  if (base_ && found.first.position <= base_->position && snapshots.base != base_) {
    violate("the snapshot that the log began with is gone");
  }
  end_ = end;
  durable_ = end.position;
  first_ = found.first.position;
  taking_ = Taking::none;
}

/// A beginning that was not told may have come to pass all the same.
void StreamHost::judge_beginning(const shard::OpenedLog& opened) {
  if (taking_ != Taking::beginning) return;
  if (opened.found.start.end.position < head_.position) {
    ++undone;
    return;
  }
  base_ = head_;
  end_.position = durable_ = first_ = head_.position;
}

/// The program is given it as it was offered.
void StreamHost::judge_snapshot(const shard::OpenedLog& opened, const core::SnapshotHead& head) {
  const std::string name = shard::snapshot_name(head.id, shard::SnapshotFile::data);
  const auto content = disk_.content(opened.directory + "/" + name);
  const bool same = content && content->size() == head.bytes &&
                    wire::crc32c(std::span(*content)) == head.crc;
  if (!same) violate("the file of a snapshot that counts as whole is another one");
}

// Living.

void StreamHost::run(const shard::OpenedLog& opened) {
  const auto reactor = make_reactor();
  shard::StreamLog log(*reactor, opened, options_, *this);
  shard::SnapshotReceiver receiver(*reactor, opened.directory, 0, opened.snapshots);
  receiver_ = &receiver;
  log.start();
  std::uint32_t left = life_.frames;
  bool takes = life_.takes_snapshot;
  const auto busy = [&] {
    return left > 0 || takes || taking_ != Taking::none || log.durable() < log.taken();
  };
  for (std::uint64_t rounds = 0; !dead_ && violation_.empty() && busy(); ++rounds) {
    if (rounds > kRoundsMax) violate("it hangs");
    if (log.failed()) violate(log.error().text);
    if (takes && left <= life_.frames / 2 && receiver.idle()) {
      takes = false;
      begin_snapshot();
    }
    if (taking_ != Taking::none) go_on_with_snapshot(log);
    if (taking_ == Taking::none) append_some(log, left);
    // Who is alone commits what is durable, and only that may be given up.
    log.on_committed(durable_);
    log.flush();
    log.keep_house(scheduler_.now());
    note_first(log);
    if (!log.idle() || !receiver.idle()) {
      reactor->wait(kNever);
      reactor->reap();
    }
  }
  if (receiver.active()) receiver.end();
  lose_power();
  while (!log.idle() || !receiver.idle()) {
    reactor->wait(kNever);
    reactor->reap();
  }
}

void StreamHost::append_some(shard::StreamLog& log, std::uint32_t& left) {
  while (left > 0 && !draw_.chance(300)) {
    const auto records = static_cast<std::size_t>(8 * draw_.between(100, 1500));
    const log::LogFrame frame = log::make_frame(end_, {epoch_, 3}, records);
    if (!log.append(frame.header, frame.pieces())) return;
    end_ = log::end_after(frame);
    --left;
  }
}

/// As a replica that lags behind is given it.
void StreamHost::begin_snapshot() {
  content_.resize(kFile_bytes);
  for (std::byte& byte : content_) byte = static_cast<std::byte>(draw_.bits());
  const Position position = end_.position + 8 * static_cast<Position>(draw_.between(1, 1000));
  head_ = {0,        draw_.bits() | 1, position, {epoch_, 3}, 11,
           position, kFile_bytes,      wire::crc32c(std::span(content_)), true};
  asked_.reset();
  taking_ = Taking::receiving;
  if (!receiver_->begin(head_, position, end_.position)) violate("the snapshot is refused");
}

void StreamHost::go_on_with_snapshot(shard::StreamLog& log) {
  if (taking_ == Taking::beginning) {
    if (!log.cutting()) log.begin_anew({head_.position, 0, head_.epoch, head_.checksum});
    return;
  }
  if (!receiver_->failure().empty()) return violate(receiver_->failure());
  if (const auto request = receiver_->take_request()) asked_ = request->offset;
  while (asked_ && *asked_ < kFile_bytes && receiver_->room()) {
    const std::size_t size =
        std::min<std::size_t>(wire::kSnapshotChunkBytesMax, kFile_bytes - *asked_);
    if (!receiver_->take({head_.id, *asked_, std::span(content_).subspan(*asked_, size)})) {
      return violate("a piece is refused");
    }
    *asked_ += size;
  }
  if (!receiver_->done()) return;
  receiver_->end();
  taking_ = Taking::beginning;
}

void StreamHost::note_first(const shard::StreamLog& log) {
  if (log.first() <= first_) return;
  first_ = log.first();
  ++given_up;
  if (base_ && base_->position < first_) base_.reset();
  if (!receiver_->active() && receiver_->idle()) receiver_->keep_house(first_, false);
}

void StreamHost::on_log_durable(Position durable) {
  if (!dead_) durable_ = std::max(durable_, durable);
}

void StreamHost::on_log_cut(const log::LogEnd& end) {
  if (dead_) return;
  if (taking_ != Taking::beginning || end.position != head_.position) {
    return violate("a beginning that nobody asked for");
  }
  receiver_->on_begun_anew(head_);
  base_ = head_;
  end_ = end;
  durable_ = end.position;
  first_ = end.position;
  taking_ = Taking::none;
  ++installed;
}

}  // namespace quorate::simulation
