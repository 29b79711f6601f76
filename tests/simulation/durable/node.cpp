#include "tests/simulation/durable/node.h"

#include <cstdio>
#include <utility>

#include "log/recovery.h"
#include "tests/simulation/world/content.h"
#include "wire/frame.h"
#include "wire/records.h"

namespace quorate::simulation::durable {

namespace {

/// Nobody waits for what it does: it only looks at names.
struct NoCompletion final : FileCompletion {
  void on_file_done(reactor::Operation&, std::int32_t) override {}
};

/// Takes the frames of a log apart.
class Reader final : public log::FrameVisitor {
 public:
  Reader(StreamId stream, const std::function<void(const Entry&)>& each)
      : stream_(stream), each_(each) {}

  void on_frame(const wire::FrameHeader& header, std::span<const std::byte> frame) override {
    const std::span<const std::byte> records = frame.subspan(wire::kFramePrologueBytes);
    for (Position at = header.begin; at < header.end;) {
      const std::byte* record = records.data() + (at - header.begin);
      const wire::RecordWord word = wire::read_record_word(record);
      const Position end = at + wire::padded_record_bytes(word.length);
      if (word.kind == wire::RecordKind::data) {
        each_({stream_, at, end, content_of({record + sizeof word, word.length}),
               {header.epoch_number, header.epoch_incarnation}});
      }
      at = end;
    }
  }

 private:
  const StreamId stream_;
  const std::function<void(const Entry&)>& each_;
};

}  // namespace

Node::Node(const Surroundings& world, HostId host, std::uint32_t number, std::string name)
    : world_(world), host_(host), number_(number), name_(std::move(name)) {}

std::string Node::stream_path(StreamId stream) const {
  char text[32];
  std::snprintf(text, sizeof text, "/stream-%05u", stream);
  return directory() + text;
}

void Node::begin_process() {
  process_ = world_.network.start_process(host_);
  EngineOptions options;
  options.trace = [this](TraceLevel, std::string_view text) {
    if (world_.watcher.tracing()) world_.watcher.trace(name_, std::string(text));
    if (!ended_) on_trace(text);
  };
  Loops made = open_loops(*process_, loops(), options, [this] {
    if (!ended_ && !opening_) after_turn();
  });
  engine_ = std::move(made.engine);
  for (SimulatedReactor* reactor : made.reactors) reactor->wake();
}

/// The directories above, which nobody syncs and a loss of power may take.
void Node::make_root() {
  NoCompletion nobody;
  const auto files = disk().make_files(nobody, Draw(0));
  for (std::size_t at = 1; at != std::string::npos;) {
    at = world_.root.find('/', at);
    static_cast<void>(files->make_directory(world_.root.substr(0, at)));
    if (at != std::string::npos) ++at;
  }
}

std::uint64_t Node::disk_refusals() {
  const DiskCounts& seen = disk().counts();
  return seen.errors + seen.sticky_errors + seen.full;
}

void Node::open(bool examines) {
  opening_ = true;
  begin_process();
  process_->block();
  make_root();
  const std::uint64_t refusals = disk_refusals();
  if (examines) examine();
  Status opened = Error(Errc::io, "ended");
  if (!ended_) opened = open_handle();
  if (opened && !ended_) on_opened();
  opening_ = false;
  process_->unblock();
  if (ended_) return;
  if (opened) {
    if (reopened_) ++counts()[Count::reopenings];
    return;
  }
  // Calls that look at names do not count when a dead disk refuses them.
  const bool of_names = opened.error().text.find(" directory ") != std::string::npos;
  if (disk_refusals() == refusals && !of_names) {
    world_.watcher.fail("open of " + name_ + " without a fault: " + opened.error().text);
  }
  ++counts()[Count::refused_opens];
  lose("cannot be opened: " + opened.error().text);
}

void Node::examine() {
  const auto reactor = process_->make_reactor(true);
  for (StreamId stream = 0; stream < world_.settings.streams && !ended_; ++stream) {
    examine_stream(*reactor, stream);
  }
}

/// Reads as the engine will in a moment, and changes nothing.
void Node::examine_stream(reactor::Reactor& reactor, StreamId stream) {
  const std::string path = stream_path(stream);
  const std::uint64_t refusals = disk_refusals();
  std::vector<Entry> entries;
  const std::function<void(const Entry&)> take = [&](const Entry& entry) {
    entries.push_back(entry);
  };
  Reader reader(stream, take);
  log::BlockingFiles blocking(reactor.files(), [&] {
    reactor.wait(kNever);
    reactor.reap();
  });
  log::MetadataFile metadata(reactor.files(), path);
  auto found =
      log::Recovery(blocking, metadata, path, stream, reader, log::RecoveryMode::examine).run();
  if (ended_ || disk_refusals() != refusals) return;
  if (!found) {
    return world_.watcher.fail("log of " + name_ + ": " + found.error().text);
  }
  for (const Entry& entry : entries) world_.oracle.on_found(number_, entry);
  counts()[Count::examined] += entries.size();
  const bool none = found->state == log::RecoveryState::none;
  if (!none && found->state != log::RecoveryState::whole) {
    return world_.watcher.fail("log of " + name_ + ": " + found->why);
  }
  reopened_ = reopened_ || !none;
  const bool closed = !none && (metadata.latest().flags & log::kClosed) != 0;
  const Position end = found->start.end.position;
  if (closed && end != metadata.latest().known_durable) {
    return world_.watcher.fail("log of " + name_ + ": was closed in order at " +
                               std::to_string(metadata.latest().known_durable) + ", ends at " +
                               std::to_string(end));
  }
  const Position first = none ? 0 : found->first.position;
  world_.oracle.on_found_whole(number_, stream, first, end);
  on_found(stream, first, end);
}

void Node::close() {
  if (ended_ || busy()) return;
  process_->block();
  close_handle();
  process_->unblock();
  kill(Ending::process);
}

void Node::kill(Ending ending) {
  if (std::exchange(ended_, true)) return;
  if (opening_) ++counts()[Count::deaths_in_open];
  else on_ending();
  process_->kill(ending);
}

void Node::pause(bool on) {
  if (ended_ || process_ == nullptr) return;
  if (on) process_->pause();
  else process_->resume();
}

bool Node::bury() {
  if (!ended_ || busy() || opening_) return false;
  if (std::exchange(buried_, true)) return true;
  drop_handle();
  engine_.reset();
  return true;
}

void Node::lose(const std::string& why) {
  if (std::exchange(lost_, true)) return;
  if (world_.watcher.tracing()) world_.watcher.trace(name_, "is of no use: " + why);
}

}  // namespace quorate::simulation::durable
