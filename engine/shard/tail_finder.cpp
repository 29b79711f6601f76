#include "shard/tail_finder.h"

#include <utility>

namespace quorate::shard {

TailFinder::TailFinder(reactor::Files& files, const std::string& directory,
                       const log::LogIdentity& identity, const log::SegmentIndex& index,
                       std::uint32_t unit_bytes_max, Found found)
    : index_(index),
      reader_(files, directory, identity, index, unit_bytes_max, *this),
      found_(std::move(found)) {}

void TailFinder::start(Position position) {
  position_ = position;
  const auto place = index_.place_of(position);
  if (!place) {
    return found_(Error(Errc::needs_full_copy, "the log does not reach back to position " +
                                                   std::to_string(position)));
  }
  reader_.start(place->position);
  on_readable();
}

void TailFinder::on_readable() {
  if (!found_) return;
  log::LogReader::Frame frame;
  while (reader_.next(index_.end(), frame)) {
    reader_.release(frame.header.end);
    if (frame.header.end <= position_) continue;
    log::LogEnd end;
    end.position = frame.header.begin;
    end.epoch = {frame.header.previous_epoch_number, frame.header.previous_epoch_incarnation};
    end.frame_checksum = frame.header.previous_checksum;
    reader_.stop();
    return std::exchange(found_, nullptr)(end);
  }
  if (reader_.failed()) std::exchange(found_, nullptr)(reader_.error());
}

}  // namespace quorate::shard
