#include "log_rig.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace quorate::log {

LogRig::LogRig(Backend backend, bool direct) {
  std::string why;
  auto made = reactor::make_reactor(backend, why);
  if (made) reactor = std::move(*made);
  std::string name = std::filesystem::temp_directory_path() / "quorate-log-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  root = name;
  directory = root + "/log";
  options.limits.segment_bytes = 1u << 20;
  options.limits.unit_bytes_max = 128u << 10;
  options.direct = direct;
  if (!reactor) return;
  BlockingFiles files = blocking();
  Metadata metadata;
  metadata.storage = identity.storage;
  if (!create_log(files, directory, metadata)) std::abort();
}

LogRig::~LogRig() {
  if (writer) close_writer();
  std::filesystem::remove_all(root);
}

void LogRig::turn() {
  reactor->wait(kNever);
  reactor->reap();
}

void LogRig::open_writer(const WriteStart& start) {
  WriteStart with_identity = start;
  with_identity.identity = identity;
  writer = std::make_unique<LogWriter>(reactor->files(), directory, options, with_identity, *this);
  writer->start();
}

void LogRig::close_writer() {
  writer->stop();
  while (!writer->idle()) turn();
  writer.reset();
}

void LogRig::begin_anew(Position gap) {
  WriteStart start;
  start.last_segment = index.ranges().empty() ? 0 : index.ranges().back().number;
  start.end = end();
  start.end.position += gap;
  start.end.frame_checksum ^= 0x5A5A;
  start.anew = true;
  close_writer();
  written.clear();
  units.clear();
  begin = start.end;
  durable = begin.position;
  open_writer(start);
  while (writer->state() != LogWriter::State::ready) turn();
}

bool LogRig::append(std::size_t records_bytes) {
  LogFrame frame = make_frame(end(), epoch, records_bytes);
  if (writer->append(frame.header, frame.pieces()) != Admission::taken) return false;
  written.push_back(std::move(frame));
  return true;
}

void LogRig::write(int count, std::size_t records_bytes) {
  while (count > 0 || writer->durable() < writer->end()) {
    while (count > 0 && append(records_bytes)) --count;
    writer->flush(reactor->now());
    if (!writer->idle()) turn();
  }
}

void LogRig::flip(std::uint64_t segment, std::uint64_t offset) {
  std::fstream file(segment_path(directory, segment),
                    std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(offset);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 4));
}

std::unique_ptr<LogReader> LogRig::make_reader() {
  return std::make_unique<LogReader>(reactor->files(), directory, identity, index,
                                     options.limits.unit_bytes_max, *this);
}

bool LogRig::await_frame(LogReader& reader, Position limit, LogReader::Frame& frame) {
  while (!reader.next(limit, frame)) {
    if (reader.failed() || reader.idle()) return reader.next(limit, frame);
    turn();
  }
  return true;
}

std::size_t LogRig::read(LogReader& reader, Position limit) {
  std::size_t count = 0;
  LogReader::Frame frame;
  for (; await_frame(reader, limit, frame); ++count) {
    const LogFrame* expected = written_at(frame.header.begin);
    EXPECT_TRUE(expected != nullptr && is_same(frame, *expected)) << frame.header.begin;
    EXPECT_LE(frame.header.end, limit);
    reader.release(frame.header.end);
  }
  return count;
}

const LogFrame* LogRig::written_at(Position position) const {
  const auto found = std::lower_bound(
      written.begin(), written.end(), position,
      [](const LogFrame& frame, Position wanted) { return frame.header.begin < wanted; });
  return found != written.end() && found->header.begin == position ? &*found : nullptr;
}

bool LogRig::has_file(std::uint64_t segment) const {
  return std::filesystem::exists(segment_path(directory, segment));
}

void LogRig::on_durable(Position position) {
  durable = position;
  EXPECT_EQ(index.end(), position) << "units are told of before they count";
}

void LogRig::on_unit_durable(const DurableUnit& unit) {
  units.push_back(unit);
  index.on_unit(unit);
}

void LogRig::on_segment_begun(const SegmentHeader& header) {
  if ((header.flags & kAnew) != 0) {
    index.begin_anew(header.number, header.first_position, header.segment_bytes);
  } else {
    index.on_segment(header.number, header.first_position, header.segment_bytes);
  }
}

bool is_same(const LogReader::Frame& frame, const LogFrame& written) {
  if (frame.prologue.size() + frame.records.size() != written.bytes.size()) return false;
  return frame.header.header_crc == written.header.header_crc &&
         std::equal(frame.prologue.begin(), frame.prologue.end(), written.bytes.begin()) &&
         std::equal(frame.records.begin(), frame.records.end(),
                    written.bytes.begin() + wire::kFramePrologueBytes);
}

}  // namespace quorate::log
