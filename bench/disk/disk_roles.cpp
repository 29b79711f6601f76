// The limits of a log: what one process writes with the log's sync discipline, and how fast its
// segments can be read. Through the engine's own files, so that what differs is what the log adds.
// The rest of the benchmark knows only the engine's public headers; this folder is the exception.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/end_to_end/latency.h"
#include "bench/end_to_end/lead.h"
#include "bench/end_to_end/line.h"
#include "bench/end_to_end/round.h"
#include "log/aligned_buffer.h"
#include "log/blocking_files.h"
#include "reactor/reactor.h"
#include "tools/process/process.h"

namespace quorate::bench {
namespace {

using tools::now_s;

constexpr std::size_t kUnit_bytes = 512u << 10;
constexpr std::size_t kUnits = 2;            ///< in flight, as the log has them when it is busy
constexpr std::size_t kMemory_bytes = 4u << 20;  ///< of what is written
constexpr std::size_t kBlock_bytes = 4096;   ///< what one record alone is written as
constexpr std::uint64_t kFile_bytes = 128u << 20;  ///< two segments: written again and again
constexpr std::size_t kRead_bytes = 1u << 20;
constexpr std::size_t kReads = 32;            ///< in flight

/// The loop and the files of this process.
class Disk {
 public:
  Disk() : reactor_(make()), blocking_(reactor_->files(), [this] { turn(); }) {}

  void turn() {
    reactor_->wait(kNever);
    reactor_->reap();
  }
  [[nodiscard]] reactor::Files& files() { return reactor_->files(); }
  [[nodiscard]] log::BlockingFiles& blocking() { return blocking_; }
  [[nodiscard]] std::string backend() const { return std::string(reactor_->name()); }

  log::NamedFile open(const std::string& path, reactor::OpenMode mode) {
    auto file = blocking_.open(path, mode);
    if (!file) fail(file.error().text);
    if (!file->direct) fail(path + ": this file system has no direct access");
    return std::move(*file);
  }

 private:
  static std::unique_ptr<reactor::Reactor> make() {
    std::string why;
    auto made = reactor::make_reactor(Backend::automatic, why);
    if (!made) fail(made.error().text);
    return std::move(*made);
  }

  std::unique_ptr<reactor::Reactor> reactor_;
  log::BlockingFiles blocking_;
};

/// Synced writes one behind the other, `in_flight` at once, around a file full of zeros.
class UnitWriter {
 public:
  UnitWriter(Disk& disk, std::string path, std::size_t unit_bytes, std::size_t in_flight,
             Latencies& latencies)
      : disk_(disk),
        file_(disk.open(path, reactor::OpenMode::create)),
        latencies_(latencies),
        unit_bytes_(unit_bytes),
        slots_(in_flight) {
    zero();
    std::fill(unit_.span().begin(), unit_.span().end(), std::byte{'q'});
  }
  UnitWriter(const UnitWriter&) = delete;
  UnitWriter& operator=(const UnitWriter&) = delete;
  ~UnitWriter() {
    stopped_ = true;
    for (Slot& slot : slots_) {
      while (slot.operation.in_flight()) disk_.turn();
    }
    disk_.blocking().close(file_);
  }

  void run_for(double seconds) {
    for (Slot& slot : slots_) {
      if (!slot.operation.in_flight()) start(slot);
    }
    for (const double deadline_s = now_s() + seconds; now_s() < deadline_s;) disk_.turn();
  }
  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  struct Slot {
    UnitWriter* writer = nullptr;
    double since_s = 0;
    iovec vector{};
    reactor::Operation operation;
  };

  void zero() {
    const log::AlignedBuffer zeros(kRead_bytes);
    if (auto made = disk_.blocking().preallocate(file_, kFile_bytes); !made) {
      fail(made.error().text);
    }
    for (std::uint64_t offset = 0; offset < kFile_bytes; offset += zeros.size()) {
      const Status done = disk_.blocking().write(file_, zeros.span(), offset);
      if (!done) fail(done.error().text);
    }
  }

  void start(Slot& slot) {
    slot.writer = this;
    slot.vector = {unit_.data(), unit_bytes_};
    slot.operation.owner = &slot;
    slot.operation.complete = [](reactor::Operation& operation, std::int32_t result) {
      Slot& ended = *static_cast<Slot*>(operation.owner);
      ended.writer->on_written(ended, result);
    };
    slot.since_s = now_s();
    disk_.files().write(slot.operation, file_.file, {&slot.vector, 1}, offset_, true);
    offset_ = (offset_ + unit_bytes_) % kFile_bytes;
  }

  void on_written(Slot& slot, std::int32_t result) {
    if (result != static_cast<std::int32_t>(unit_bytes_)) {
      fail(file_.path + ": a write ended with " + std::to_string(result));
    }
    latencies_.record(now_s() - slot.since_s);
    written_ += unit_bytes_;
    if (!stopped_) start(slot);
  }

  Disk& disk_;
  log::NamedFile file_;
  Latencies& latencies_;
  const std::size_t unit_bytes_;
  /// The log's staging is in huge pages, so this is too.
  log::AlignedBuffer unit_{kMemory_bytes};
  std::vector<Slot> slots_;
  std::uint64_t offset_ = 0;
  std::uint64_t written_ = 0;
  bool stopped_ = false;
};

/// Reads files one behind the other, `kReads` in flight, across the end of one into the next.
class SegmentReader {
 public:
  explicit SegmentReader(Disk& disk) : disk_(disk) {}

  void add(const std::string& path) {
    files_.push_back(disk_.open(path, reactor::OpenMode::read));
    sizes_.push_back(std::filesystem::file_size(path));
  }
  /// Segments that were made ahead and never begun have no header: recovery does not read them.
  [[nodiscard]] bool begun(const std::string& path) {
    log::NamedFile file = disk_.open(path, reactor::OpenMode::read);
    log::AlignedBuffer block(kBlock_bytes);
    Error error;
    disk_.blocking().read(file, block.span(), error);
    disk_.blocking().close(file);
    const auto bytes = block.span();
    return std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; });
  }
  std::uint64_t run() {
    for (Slot& slot : slots_) start(slot);
    for (Slot& slot : slots_) {
      while (slot.operation.in_flight()) disk_.turn();
    }
    for (log::NamedFile& file : files_) disk_.blocking().close(file);
    return read_;
  }

 private:
  struct Slot {
    SegmentReader* reader = nullptr;
    log::AlignedBuffer buffer{kRead_bytes};
    iovec vector{};
    reactor::Operation operation;
  };

  void start(Slot& slot) {
    if (at_ == files_.size()) return;
    slot.reader = this;
    slot.vector = {slot.buffer.data(), std::min<std::size_t>(kRead_bytes, sizes_[at_] - offset_)};
    slot.operation.owner = &slot;
    slot.operation.complete = [](reactor::Operation& operation, std::int32_t result) {
      Slot& ended = *static_cast<Slot*>(operation.owner);
      if (result <= 0) fail("a read ended with " + std::to_string(result));
      ended.reader->read_ += static_cast<std::uint64_t>(result);
      ended.reader->start(ended);
    };
    disk_.files().read(slot.operation, files_[at_].file, {&slot.vector, 1}, offset_);
    offset_ += slot.vector.iov_len;
    if (offset_ < sizes_[at_]) return;
    offset_ = 0;
    ++at_;
  }

  Disk& disk_;
  std::vector<log::NamedFile> files_;
  std::vector<std::uint64_t> sizes_;
  std::array<Slot, kReads> slots_;
  std::size_t at_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t read_ = 0;
};

/// Direct reads pass the page cache, but what of a file is in it is looked for and written first.
void drop_from_cache(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ::fdatasync(fd);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
}

std::vector<std::string> segments_in(const std::string& directory) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const bool segment = entry.path().filename().string().starts_with("segment");
    if (segment && entry.is_regular_file()) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

int run_disk_writer(const RoundSpec& spec, std::uint32_t index) {
  const bool one = spec.work != RoundSpec::Work::stream;
  Window window(introduce("none"));
  Disk disk;
  Latencies latencies(spec.seconds);
  std::filesystem::create_directories(spec.directory);
  UnitWriter writer(disk, spec.directory + "/limit-" + std::to_string(index),
                    one ? kBlock_bytes : kUnit_bytes, one ? 1 : kUnits, latencies);
  say("streaming");
  hear("go");
  writer.run_for(kWarmUp_s);
  RoundResult result;
  result.backend = disk.backend();
  begin_window(window, result);
  latencies.clear();
  const std::uint64_t before = writer.written();
  writer.run_for(spec.seconds);
  result.bytes = static_cast<double>(writer.written() - before);
  end_window(window, result);
  result.p50_us = latencies.p50_us();
  say_result(result, 0);
  return 0;
}

int run_disk_reader(const RoundSpec& spec) {
  Disk disk;
  SegmentReader reader(disk);
  for (const std::string& path : segments_in(spec.directory)) {
    drop_from_cache(path);
    if (reader.begun(path)) reader.add(path);
  }
  RoundResult result;
  result.backend = disk.backend();
  const double begin_s = now_s();
  result.bytes = static_cast<double>(reader.run());
  result.seconds = now_s() - begin_s;
  say_result(result, 0);
  return 0;
}

}  // namespace quorate::bench
