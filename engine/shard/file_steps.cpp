#include "shard/file_steps.h"

#include <cerrno>
#include <utility>

#include "base/check.h"

namespace quorate::shard {

using reactor::OpenMode;

FileSteps::FileSteps(reactor::Files& files) : files_(files) {
  log::bind<&FileSteps::on_done>(operation_, *this);
}

FileSteps::~FileSteps() {
  CHECK(idle());
  close_file();
}

FileSteps& FileSteps::add(Step step) {
  steps_.push_back(std::move(step));
  return *this;
}

FileSteps& FileSteps::remove(std::string path) {
  return add({Kind::remove, std::move(path), {}, OpenMode::read, {}});
}
FileSteps& FileSteps::open(std::string path, OpenMode mode) {
  return add({Kind::open, std::move(path), {}, mode, {}});
}
FileSteps& FileSteps::write(std::span<const std::byte> bytes) {
  return add({Kind::write, {}, {}, OpenMode::read, bytes});
}
FileSteps& FileSteps::sync() { return add({Kind::sync, {}, {}, OpenMode::read, {}}); }
FileSteps& FileSteps::close() { return add({Kind::close, {}, {}, OpenMode::read, {}}); }
FileSteps& FileSteps::rename(std::string from, std::string to) {
  return add({Kind::rename, std::move(from), std::move(to), OpenMode::read, {}});
}
FileSteps& FileSteps::sync_directory(std::string path) {
  return open(std::move(path), OpenMode::directory).sync().close();
}

void FileSteps::run(Ended ended) {
  CHECK(!ended_ && idle());
  ended_ = std::move(ended);
  next();
}

reactor::File FileSteps::take_file() noexcept { return std::exchange(file_, reactor::File{}); }

void FileSteps::close_file() noexcept {
  if (file_.valid()) files_.close(take_file());
}

void FileSteps::next() {
  while (!steps_.empty() && steps_.front().kind == Kind::close) {
    close_file();
    steps_.pop_front();
  }
  if (steps_.empty()) return end(Done{}, 0);
  written_ = 0;
  start(steps_.front());
}

void FileSteps::start(const Step& step) {
  switch (step.kind) {
    case Kind::remove: return files_.remove(operation_, step.path.c_str());
    case Kind::rename: return files_.rename(operation_, step.path.c_str(), step.to.c_str());
    case Kind::sync: return files_.sync(operation_, file_);
    case Kind::open:
      path_ = step.path;
      return files_.open(operation_, step.path.c_str(), step.mode, false);
    case Kind::write:
      vector_ = {const_cast<std::byte*>(step.bytes.data()) + written_,
                 step.bytes.size() - written_};
      return files_.write(operation_, file_, {&vector_, 1}, written_, false);
    case Kind::close: break;
  }
}

void FileSteps::on_done(std::int32_t result) {
  const Step& step = steps_.front();
  if (log::is_passing(result)) return start(step);
  const bool moved_nothing = step.kind == Kind::write && result == 0;
  const bool absent = step.kind == Kind::remove && result == -ENOENT;
  if ((result < 0 && !absent) || moved_nothing) {
    constexpr const char* kNames[] = {"remove", "open", "write", "sync", "close", "rename"};
    const std::string& path = step.path.empty() ? path_ : step.path;
    return end(log::file_error(kNames[static_cast<std::size_t>(step.kind)], path, result), result);
  }
  if (step.kind == Kind::open) file_ = reactor::File{result};
  if (step.kind == Kind::write) {
    written_ += static_cast<std::size_t>(result);
    if (written_ < step.bytes.size()) return start(step);
  }
  steps_.pop_front();
  next();
}

void FileSteps::end(const Status& status, std::int32_t result) {
  steps_.clear();
  if (!status) close_file();
  std::exchange(ended_, nullptr)(status, result);
}

}  // namespace quorate::shard
