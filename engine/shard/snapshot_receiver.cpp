#include "shard/snapshot_receiver.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "log/file_error.h"
#include "wire/crc32c.h"
#include "wire/limits.h"

namespace quorate::shard {

namespace {

constexpr std::size_t kPiece_bytes = 4 * wire::kSnapshotChunkBytesMax;

}  // namespace

SnapshotReceiver::SnapshotReceiver(reactor::Reactor& reactor, std::string directory,
                                   StreamId stream, const FoundSnapshots& found)
    : reactor_(reactor),
      directory_(std::move(directory)),
      machine_(stream),
      base_(found.base),
      steps_(reactor.files()) {
  if (!found.held) return;
  machine_.on_found(*found.held);
  on_disk_ = found.held->head.id;
}

SnapshotReceiver::~SnapshotReceiver() {
  CHECK(idle());
  close_file();
}

std::string SnapshotReceiver::path(std::uint64_t id, SnapshotFile file) const {
  return directory_ + "/" + snapshot_name(id, file);
}

std::string SnapshotReceiver::path() const {
  return base_ && base_->has_file ? path(base_->id, SnapshotFile::data) : std::string();
}

// Beginning.

bool SnapshotReceiver::begin(const core::SnapshotHead& head, Position expected, Position held) {
  CHECK(idle() && !active_);
  // Of the files of that id the program may still need what they hold.
  if (base_ && head.id == base_->id) return false;
  if (!machine_.on_begin(head, expected, held)) return false;
  active_ = true;
  request_due_ = asked_ = progressed_ = false;
  failure_.clear();
  if (machine_.step() == Step::done) {
    progressed_ = true;
  } else if (machine_.step() == Step::prepare) {
    prepare();
  } else {
    open_part();
  }
  return true;
}

/// What it is is durable before the first byte of it.
void SnapshotReceiver::prepare() {
  const core::SnapshotHead& head = machine_.head();
  if (on_disk_ != 0) remove_all(on_disk_);
  if (on_disk_ != head.id) remove_all(head.id);
  on_disk_ = head.id;
  head_block_ = log::AlignedBuffer(log::kBlockBytes);
  encode_snapshot_head(head, log::Block(head_block_.data(), log::kBlockBytes));
  steps_.open(path(head.id, SnapshotFile::head), reactor::OpenMode::create)
      .write(head_block_.span())
      .sync()
      .close();
  if (head.has_file) {
    steps_.open(path(head.id, SnapshotFile::part), reactor::OpenMode::create).close();
  }
  steps_.sync_directory(directory_);
  if (head.has_file) steps_.open(path(head.id, SnapshotFile::part), reactor::OpenMode::write);
  steps_.run([this](const Status& status, std::int32_t result) {
    if (status) machine_.on_prepared();
    on_prepared(status, result);
  });
}

void SnapshotReceiver::open_part() {
  steps_.open(path(machine_.head().id, SnapshotFile::part), reactor::OpenMode::write);
  steps_.run([this](const Status& status, std::int32_t result) { on_prepared(status, result); });
}

void SnapshotReceiver::on_prepared(const Status& status, std::int32_t result) {
  file_ = steps_.take_file();
  if (!status) return fail(status.error().text, result);
  if (ended()) return;
  written_ = machine_.received();
  if (machine_.step() == Step::check) return check();
  if (machine_.step() != Step::receive) {
    progressed_ = true;
    return;
  }
  for (Piece& piece : pieces_) piece = {log::AlignedBuffer(kPiece_bytes), 0};
  filling_ = 0;
  request_due_ = true;
}

std::optional<core::SnapshotRequest> SnapshotReceiver::take_request() {
  if (!std::exchange(request_due_, false)) return std::nullopt;
  asked_ = true;
  return machine_.request();
}

// Receiving.

bool SnapshotReceiver::room() const noexcept {
  if (!active_ || machine_.step() != Step::receive) return true;
  return pieces_[filling_].bytes + wire::kSnapshotChunkBytesMax <= kPiece_bytes;
}

bool SnapshotReceiver::take(const transport::SnapshotChunk& chunk) {
  if (!active_ || !asked_ || !failure_.empty() || !room()) return false;
  if (!machine_.on_chunk(chunk.id, chunk.offset, chunk.bytes.size())) return false;
  Piece& piece = pieces_[filling_];
  std::memcpy(piece.buffer.data() + piece.bytes, chunk.bytes.data(), chunk.bytes.size());
  piece.bytes += chunk.bytes.size();
  if (!operation_.in_flight()) write();
  return true;
}

/// A full piece, or the last one.
void SnapshotReceiver::write() {
  const Piece& piece = pieces_[filling_];
  const bool last = machine_.received() == machine_.head().bytes;
  const bool full = piece.bytes + wire::kSnapshotChunkBytesMax > kPiece_bytes;
  if (piece.bytes == 0 || (!full && !last)) return;
  filling_ = 1 - filling_;
  part_written_ = 0;
  log::bind<&SnapshotReceiver::on_written>(operation_, *this);
  vector_ = {piece.buffer.data(), piece.bytes};
  reactor_.files().write(operation_, file_, {&vector_, 1}, written_, false);
}

void SnapshotReceiver::on_written(std::int32_t result) {
  Piece& piece = pieces_[1 - filling_];
  if (result <= 0 && !log::is_passing(result)) {
    return fail(log::file_error("write", path(on_disk_, SnapshotFile::part), result).text, result);
  }
  const std::size_t moved = result > 0 ? static_cast<std::size_t>(result) : 0;
  part_written_ += moved;
  written_ += moved;
  if (part_written_ < piece.bytes) {
    vector_ = {piece.buffer.data() + part_written_, piece.bytes - part_written_};
    return reactor_.files().write(operation_, file_, {&vector_, 1}, written_, false);
  }
  piece.bytes = 0;
  progressed_ = true;
  machine_.on_written(written_);
  if (ended()) return;
  if (machine_.step() == Step::check) return check();
  write();
}

// Checking.

/// What the disk gives back is what counts.
void SnapshotReceiver::check() {
  written_ = 0;
  crc_ = 0;
  if (pieces_[0].buffer.size() == 0) pieces_[0].buffer = log::AlignedBuffer(kPiece_bytes);
  log::bind<&SnapshotReceiver::on_read_back>(operation_, *this);
  steps_.open(path(on_disk_, SnapshotFile::part), reactor::OpenMode::write);
  if (!QUORATE_MUTANT(snapshot_unsynced)) steps_.sync();
  steps_.close();
  steps_.run([this](const Status& status, std::int32_t result) {
    if (!status) return fail(status.error().text, result);
    if (!ended()) read_back();
  });
}

void SnapshotReceiver::read_back() {
  const std::uint64_t left = machine_.head().bytes - written_;
  if (left == 0) return finish_check();
  vector_ = {pieces_[0].buffer.data(),
             static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece_bytes))};
  reactor_.files().read(operation_, file_, {&vector_, 1}, written_);
}

void SnapshotReceiver::on_read_back(std::int32_t result) {
  if (ended()) return;
  if (log::is_passing(result)) return read_back();
  if (result < 0) {
    return fail(log::file_error("read", path(on_disk_, SnapshotFile::part), result).text, result);
  }
  // A file that ends too soon has another checksum, which is what finish_check() finds.
  if (result == 0) return finish_check();
  const auto bytes = static_cast<std::size_t>(result);
  crc_ = wire::crc32c({pieces_[0].buffer.data(), bytes}, crc_);
  written_ += bytes;
  read_back();
}

void SnapshotReceiver::finish_check() {
  close_file();
  release_buffers();
  const bool all = written_ == machine_.head().bytes;
  if (machine_.on_checked(all ? crc_ : ~machine_.head().crc)) return keep_whole();
  // What is known to be wrong is no beginning of anything.
  progressed_ = false;
  failure_ = "the checksum is not that of what was offered; it begins anew";
  remove_all(std::exchange(on_disk_, 0));
  steps_.run([](const Status&, std::int32_t) {});
}

void SnapshotReceiver::keep_whole() {
  steps_.rename(path(on_disk_, SnapshotFile::part), path(on_disk_, SnapshotFile::data));
  steps_.sync_directory(directory_);
  steps_.run([this](const Status& status, std::int32_t result) {
    if (!status) return fail(status.error().text, result);
    progressed_ = true;
    ended();
  });
}

// Ending.

/// A full disk is no longer full at some time; of any other failure, what lies there is not known.
void SnapshotReceiver::fail(const std::string& why, std::int32_t result) {
  const bool keeps = log::is_out_of_space(result) && machine_.step() == Step::receive;
  failure_ = why;
  request_due_ = false;
  if (keeps) {
    machine_.on_ended();
  } else {
    machine_.on_failed();
  }
  close_file();
  release_buffers();
}

void SnapshotReceiver::end() {
  active_ = false;
  request_due_ = false;
  if (idle()) ended();
}

/// True when nobody waits for it any more.
bool SnapshotReceiver::ended() {
  if (active_) return false;
  machine_.on_ended();
  close_file();
  release_buffers();
  return true;
}

void SnapshotReceiver::remove_all(std::uint64_t id) {
  for (const SnapshotFile file : {SnapshotFile::part, SnapshotFile::data, SnapshotFile::head}) {
    steps_.remove(path(id, file));
  }
}

void SnapshotReceiver::release_buffers() noexcept {
  for (Piece& piece : pieces_) piece = {};
}

void SnapshotReceiver::close_file() noexcept {
  if (file_.valid()) reactor_.files().close(std::exchange(file_, reactor::File{}));
}

// Afterwards.

void SnapshotReceiver::on_begun_anew(const core::SnapshotHead& head) {
  const auto before = std::exchange(base_, head);
  machine_.on_used();
  on_disk_ = 0;
  if (!before || before->id == base_->id) return;
  remove_all(before->id);
  steps_.run([](const Status&, std::int32_t) {});
}

void SnapshotReceiver::keep_house(Position first, bool goes_on) {
  if (active_ || !idle()) return;
  const bool base_is_old = base_ && base_->position < first;
  const bool held_is_idle = goes_on && on_disk_ != 0;
  if (!base_is_old && !held_is_idle) return;
  if (base_is_old) remove_all(std::exchange(base_, std::nullopt)->id);
  if (held_is_idle) {
    machine_.on_used();
    remove_all(std::exchange(on_disk_, 0));
  }
  steps_.run([](const Status&, std::int32_t) {});
}

}  // namespace quorate::shard
