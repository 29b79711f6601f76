#include "feed_rig.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/random.h"
#include "wire/records.h"

namespace quorate::shard {

namespace {

constexpr Epoch kEpoch{3, 9};
constexpr std::byte kNothing{0xEE};  ///< where nothing is that anybody may see

std::unique_ptr<reactor::Reactor> any_reactor() {
  std::string why;
  return std::move(reactor::make_reactor(Backend::epoll, why)).value();
}

log::LogOptions small_options() {
  log::LogOptions options;
  options.limits.segment_bytes = 1u << 20;
  options.limits.unit_bytes_max = 128u << 10;
  options.direct = false;
  return options;
}

}  // namespace

FeedRig::FeedRig() : reactor_(any_reactor()) {
  std::string name = (std::filesystem::temp_directory_path() / "quorate-feed-XXXXXX").string();
  root_ = mkdtemp(name.data());
  LogOpening opening(any_reactor(), {});
  opened_ = opening.open_stream(root_, 0).value();
  log_ = std::make_unique<StreamLog>(*reactor_, opened_, small_options(), *this);
  log_->start();
  arena_ = base::RingArena::create(2 * kRing, kRing, 2).value();
  received_ = arena_->map(0).value();
  shown_ = arena_->map(1).value();
  std::fill_n(received_.begin(), kRing, kNothing);
  std::fill_n(shown_.begin(), kRing, kNothing);
}

FeedRig::~FeedRig() {
  if (program) program->stop();
  settle();
  program.reset();
  log_->close();
  while (!log_->closed() || !log_->idle()) turn();
  log_.reset();
  std::filesystem::remove_all(root_);
}

void FeedRig::turn() {
  reactor_->wait(kNever);
  reactor_->reap();
}

void FeedRig::open(Position from) {
  store();
  read_ = from;
  std::fill_n(received_.begin(), kRing, kNothing);
  program = std::make_unique<ProgramFeed>(
      *log_, ProgramFeed::Rings{received_.data(), shown_.data(), kRing}, from, received(),
      [this] { ++woken; });
}

Position FeedRig::receive(int count, std::uint64_t record_bytes) {
  const Position begin = received();
  base::Random random(begin ^ cuts_ << 40);
  std::vector<std::byte> records;
  for (int i = 0; i < count; ++i) {
    const auto payload_bytes = static_cast<std::uint32_t>(record_bytes - sizeof(wire::RecordWord));
    const wire::RecordWord word{payload_bytes, wire::RecordKind::data, 0};
    const auto header = std::as_bytes(std::span(&word, 1));
    records.insert(records.end(), header.begin(), header.end());
    for (std::uint32_t n = 0; n < payload_bytes; ++n) {
      records.push_back(static_cast<std::byte>(random.next()));
    }
    ends_.insert(begin + records.size());
  }
  const Position end = begin + records.size();
  if (program) program->on_placed(end);
  std::memcpy(received_.data() + begin % kRing, records.data(), records.size());
  if (program) program->on_received(begin, end);
  stream_.resize(begin);
  stream_.insert(stream_.end(), records.begin(), records.end());
  to_store_.push_back(log::frame_of(end_, kEpoch, records, static_cast<std::uint32_t>(count)));
  end_ = log::end_after(to_store_.back());
  return end;
}

void FeedRig::store() {
  for (const log::LogFrame& frame : to_store_) {
    while (!log_->append(frame.header, frame.pieces())) {
      log_->flush();
      turn();
    }
  }
  to_store_.clear();
  log_->flush();
  while (log_->durable() < log_->taken()) turn();
}

void FeedRig::empty_ring() {
  program->on_emptied(received());
  std::fill_n(received_.begin(), kRing, kNothing);
}

void FeedRig::cut(Position position) {
  while (to_store_.back().header.begin >= position) to_store_.pop_back();
  ASSERT_EQ(to_store_.back().header.end, position);
  end_ = log::end_after(to_store_.back());
  stream_.resize(position);
  ends_.erase(ends_.upper_bound(position), ends_.end());
  ++cuts_;
}

Position FeedRig::begin_log_anew(Position gap) {
  log::LogEnd at = end_;
  at.position += gap;
  log_->begin_anew(at);
  while (end_.position != at.position) {
    log_->flush();
    if (log_->cutting()) turn();
  }
  std::fill_n(received_.begin(), kRing, kNothing);
  stream_.resize(at.position, kNothing);
  ends_.insert(at.position);
  return at.position;
}

void FeedRig::hold(Position from) {
  read_ = from;
  program->hold(from);
}

void FeedRig::begin_anew(Position from, Position received) {
  read_ = from;
  program->begin_anew(from, received);
}

bool FeedRig::feed(Position visible) {
  const Position before = program->shown();
  EXPECT_TRUE(program->copied() >= program->floor() ||
              visible <= std::max(program->copied(), log_->durable()));
  const bool more = program->feed(visible, received(), read_);
  EXPECT_EQ(more, program->shown() != before);
  check_shown(visible, before);
  return more;
}

void FeedRig::check_shown(Position visible, Position before) {
  const Position shown = program->shown();
  EXPECT_TRUE(shown == before || (shown > before && shown <= visible)) << shown;
  EXPECT_LE(shown, program->copied());
  EXPECT_LE(program->copied(), std::max(shown, received()));
  EXPECT_LE(program->copied(), read_ + kRing);
  EXPECT_TRUE(shown == before || ends_.count(shown) == 1) << "no record ends at " << shown;
  ASSERT_TRUE(shown <= std::max(read_, Position{stream_.size()}));
  for (Position at = read_; at < shown; ++at) {
    ASSERT_EQ(shown_[at % kRing], stream_[at]) << "at " << at << " of " << read_ << "…" << shown;
  }
}

void FeedRig::settle() {
  while (program && !program->idle()) turn();
}

void FeedRig::read(Position until) {
  ASSERT_TRUE(until >= read_ && until <= program->shown() && ends_.count(until) == 1) << until;
  read_ = until;
  // Who reads again what was read finds something else.
  const Position end = program->copied();
  for (Position at = std::max(end, until); at < until + kRing; ++at) {
    shown_[at % kRing] = kNothing;
  }
}

void FeedRig::drain(Position visible) {
  // Each round that shows something shows at least a frame, and a ring holds so many at most.
  std::uint64_t left = 2 * (visible / (kRing / 4) + 8);
  for (bool more = true; more || !program->idle();) {
    ASSERT_GT(left--, 0u) << "it comes to no end at " << program->shown();
    settle();
    if (program->shown() > read_) read(program->shown());
    more = feed(visible);
  }
}

}  // namespace quorate::shard
