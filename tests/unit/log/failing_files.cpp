#include "failing_files.h"

#include <limits>
#include <utility>

namespace quorate::log {

using reactor::File;
using reactor::OpenMode;
using reactor::Operation;

void FailingReactor::wait(Instant deadline) {
  if (!completed_.empty() || below_ == 0) deadline = std::numeric_limits<Instant>::min();
  inner_->wait(deadline);
}

bool FailingReactor::refuses(const char* kind, const std::string& path) {
  const std::string_view what(kind);
  const bool makes_file = path.ends_with("/segment.new") &&
                          (what == "creation" || what == "preallocation" || what == "write");
  if (refusal_.space_only && !makes_file) return false;
  ++counted_;
  if (refusal_.first == 0) return false;
  const bool now = counted_ == refusal_.first;
  if (now) first_refused_ = std::string(what) + " of " + path;
  return now || (refusal_.for_ever && counted_ > refusal_.first);
}

template <typename Start>
void FailingReactor::start(Operation& operation, const char* kind, const std::string& path,
                           const Start& start) {
  CHECK(operation.state == Operation::State::idle);
  operation.state = Operation::State::started;
  const bool opens = std::string_view(kind) == "open" || std::string_view(kind) == "creation";
  const bool refused = refuses(kind, path);
  if (refused) ++refused_;
  if (refused && (!refusal_.takes_effect || opens)) {
    completed_.push(operation, refusal_.result);
    return;
  }
  auto shadow = std::make_unique<Shadow>();
  shadow->above = &operation;
  shadow->owner = this;
  if (opens) shadow->path = path;
  if (refused) shadow->instead = refusal_.result;
  shadow->below.owner = shadow.get();
  shadow->below.complete = [](Operation& done, std::int32_t result) {
    const std::unique_ptr<Shadow> mine(static_cast<Shadow*>(done.owner));
    mine->owner->on_done(*mine, result);
  };
  ++below_;
  start(shadow.release()->below);
}

void FailingReactor::on_done(Shadow& shadow, std::int32_t result) {
  --below_;
  if (!shadow.path.empty() && result >= 0) paths_[result] = shadow.path;
  if (shadow.instead != 0) result = shadow.instead;
  shadow.above->state = Operation::State::idle;
  shadow.above->complete(*shadow.above, result);
}

void FailingReactor::open(Operation& operation, const char* path, OpenMode mode, bool direct) {
  start(operation, mode == OpenMode::create ? "creation" : "open", path,
        [&](Operation& below) { inner_->files().open(below, path, mode, direct); });
}

void FailingReactor::preallocate(Operation& operation, File file, std::uint64_t offset,
                                 std::uint64_t bytes) {
  start(operation, "preallocation", path_of(file),
        [&](Operation& below) { inner_->files().preallocate(below, file, offset, bytes); });
}

void FailingReactor::read(Operation& operation, File file, std::span<const iovec> buffers,
                          std::uint64_t offset) {
  start(operation, "read", path_of(file),
        [&](Operation& below) { inner_->files().read(below, file, buffers, offset); });
}

void FailingReactor::write(Operation& operation, File file, std::span<const iovec> buffers,
                           std::uint64_t offset, bool durable) {
  start(operation, "write", path_of(file),
        [&](Operation& below) { inner_->files().write(below, file, buffers, offset, durable); });
}

void FailingReactor::sync(Operation& operation, File file) {
  start(operation, "sync", path_of(file),
        [&](Operation& below) { inner_->files().sync(below, file); });
}

void FailingReactor::truncate(Operation& operation, File file, std::uint64_t bytes) {
  start(operation, "truncation", path_of(file),
        [&](Operation& below) { inner_->files().truncate(below, file, bytes); });
}

void FailingReactor::rename(Operation& operation, const char* from, const char* to) {
  start(operation, "rename", from,
        [&](Operation& below) {
          for (auto& [file, path] : paths_) {
            if (path == from) path = to;
          }
          inner_->files().rename(below, from, to);
        });
}

void FailingReactor::remove(Operation& operation, const char* path) {
  start(operation, "removal", path,
        [&](Operation& below) { inner_->files().remove(below, path); });
}

}  // namespace quorate::log
