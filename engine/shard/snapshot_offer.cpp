#include "shard/snapshot_offer.h"

#include <utility>

#include "base/check.h"
#include "log/file_error.h"
#include "shard/stream_log.h"
#include "wire/crc32c.h"
#include "wire/records.h"
#include "wire/limits.h"

namespace quorate::shard {

namespace {

constexpr std::size_t kRead_bytes = 1u << 20;

}  // namespace

SnapshotOffer::SnapshotOffer(reactor::Reactor& reactor, const StreamLog& log, StreamId stream,
                             Ready ready)
    : reactor_(reactor), log_(log), ready_(std::move(ready)) {
  head_.stream = stream;
  head_.id = reactor.random_seed();
}

SnapshotOffer::~SnapshotOffer() {
  CHECK(idle());
  if (file_.valid()) reactor_.files().close(file_);
}

void SnapshotOffer::start(std::string path, Position position) {
  path_ = std::move(path);
  head_.program = position;
  head_.has_file = true;
  log::bind<&SnapshotOffer::on_opened>(operation_, *this);
  reactor_.files().open(operation_, path_.c_str(), reactor::OpenMode::read, false);
}

void SnapshotOffer::start_at_begin_of_log() { find_frame(log_.first()); }

void SnapshotOffer::stop() noexcept {
  ready_ = nullptr;
  if (reader_) reader_->stop();
}

void SnapshotOffer::end(Result<std::shared_ptr<const OpenSnapshot>> result) {
  if (reader_) reader_->stop();
  if (ready_) std::exchange(ready_, nullptr)(std::move(result));
}

void SnapshotOffer::on_opened(std::int32_t result) {
  if (result < 0) return end(log::file_error("open", path_, result));
  file_ = reactor::File{result};
  buffer_ = log::AlignedBuffer(kRead_bytes);
  log::bind<&SnapshotOffer::on_read>(operation_, *this);
  read_file();
}

void SnapshotOffer::read_file() {
  if (!ready_) return;
  vector_ = {buffer_.data(), buffer_.size()};
  reactor_.files().read(operation_, file_, {&vector_, 1}, head_.bytes);
}

void SnapshotOffer::on_read(std::int32_t result) {
  if (log::is_passing(result)) return read_file();
  if (result < 0) return end(log::file_error("read", path_, result));
  if (result > 0) {
    const std::span<const std::byte> bytes(buffer_.data(), static_cast<std::size_t>(result));
    head_.crc = wire::crc32c(bytes, head_.crc);
    head_.bytes += bytes.size();
    if (head_.bytes <= wire::kSnapshotBytesMax) return read_file();
    return end(Error(Errc::too_large, path_ + ": a snapshot has at most 2^48 bytes"));
  }
  buffer_ = {};
  if (ready_) find_frame(head_.program - 1);
}

/// The log may begin exactly at the program's position: then the frame behind it says what ends
/// there.
void SnapshotOffer::find_frame(Position from) {
  auto unit = log_.unit_around(from);
  if (!unit && head_.has_file) unit = log_.unit_around(head_.program);
  if (!unit) {
    return end(Error(Errc::needs_full_copy, "the log does not reach back to position " +
                                                std::to_string(from)));
  }
  reader_ = log_.make_reader(*this);
  reader_->start(*unit);
  on_readable();
}

void SnapshotOffer::on_readable() {
  log::LogReader::Frame frame;
  while (ready_ && reader_->next(log_.durable(), frame)) {
    if (!head_.has_file || frame.header.end >= head_.program) return on_frame(frame);
    reader_->release(frame.header.end);
  }
  if (ready_ && reader_->failed()) end(reader_->error());
}

/// The frame in which the program's position lies, or that ends there.
void SnapshotOffer::on_frame(const log::LogReader::Frame& frame) {
  const wire::FrameHeader& header = frame.header;
  if (!head_.has_file) head_.program = header.begin;
  if (header.end == head_.program) {
    head_.position = header.end;
    head_.epoch = {header.epoch_number, header.epoch_incarnation};
    head_.checksum = header.header_crc;
  } else {
    head_.position = header.begin;
    head_.epoch = {header.previous_epoch_number, header.previous_epoch_incarnation};
    head_.checksum = header.previous_checksum;
    if (!wire::is_record_boundary(frame.records.data(), head_.program - header.begin)) {
      return end(Error(Errc::invalid_option, "no record ends at position " +
                                                 std::to_string(head_.program)));
    }
  }
  end(std::make_shared<const OpenSnapshot>(reactor_.files(),
                                           std::exchange(file_, reactor::File{}), head_));
}

}  // namespace quorate::shard
