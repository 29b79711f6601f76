// Files: what they keep, how operations on them end, and that they share the loop with sockets.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

#include "loop.h"

namespace quorate::reactor {
namespace {

/// A directory of its own for each test. Removed with what is in it.
class Disk : public Conformance {
 protected:
  using Start = std::function<void(Operation&)>;

  void SetUp() override {
    Conformance::SetUp();
    if (IsSkipped()) return;
    std::string name = std::filesystem::temp_directory_path() / "quorate-files-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directories_.push_back(name);
    // There already for a backend on real files, and new to one that has its own.
    ASSERT_TRUE(files().make_directory(name));
  }

  void TearDown() override {
    for (auto path = directories_.rbegin(); path != directories_.rend(); ++path) {
      const std::vector<std::string> names = files().list(*path).value();
      for (const std::string& name : names) {
        run([&, file = *path + "/" + name](Operation& op) { files().remove(op, file.c_str()); });
      }
      rmdir(path->c_str());
    }
  }

  Files& files() { return loop()->files(); }
  std::string directory() const { return directories_.front(); }
  /// Of the directory itself when there is no name.
  std::string path(const std::string& name) const {
    return name.empty() ? directory() : directory() + "/" + name;
  }

  std::string make_directory(const std::string& name) {
    EXPECT_TRUE(files().make_directory(path(name)));
    directories_.push_back(path(name));
    return path(name);
  }

  /// Starts one operation and turns the loop until it has completed.
  std::int32_t run(const Start& start) {
    Probe probe;
    start(probe.operation);
    loop().run(probe);
    return probe.result();
  }

  std::int32_t try_open(const std::string& name, OpenMode mode, bool direct = false) {
    const std::string text = path(name);
    return run([&](Operation& op) { files().open(op, text.c_str(), mode, direct); });
  }
  File open(const std::string& name, OpenMode mode, bool direct = false) {
    const File file{try_open(name, mode, direct)};
    EXPECT_GE(file.id, 0);
    return file;
  }
  File create(const std::string& name, const std::string& text = {}) {
    const File file = open(name, OpenMode::create);
    write_all(file, text.data(), text.size(), 0);
    return file;
  }

  std::int32_t write(File file, std::vector<iovec> buffers, std::uint64_t offset, bool durable) {
    return run([&](Operation& op) { files().write(op, file, buffers, offset, durable); });
  }
  void write_all(File file, const char* bytes, std::size_t size, std::uint64_t offset,
                 bool durable = false) {
    for (std::size_t done = 0; done < size;) {
      const std::int32_t wrote =
          write(file, {{const_cast<char*>(bytes) + done, size - done}}, offset + done, durable);
      ASSERT_GT(wrote, 0);
      done += static_cast<std::size_t>(wrote);
    }
  }

  std::int32_t read(File file, std::vector<iovec> buffers, std::uint64_t offset) {
    return run([&](Operation& op) { files().read(op, file, buffers, offset); });
  }
  /// Fills the buffer, or stops at the end of the file. Returns how far it came.
  std::size_t read_all(File file, char* bytes, std::size_t size, std::uint64_t offset) {
    for (std::size_t done = 0; done < size;) {
      const std::int32_t got = read(file, {{bytes + done, size - done}}, offset + done);
      EXPECT_GE(got, 0);
      if (got <= 0) return done;
      done += static_cast<std::size_t>(got);
    }
    return size;
  }
  std::string content(File file, std::size_t size = 1u << 20, std::uint64_t offset = 0) {
    std::string text(size, '?');
    text.resize(read_all(file, text.data(), size, offset));
    return text;
  }

  std::uint64_t size(File file) { return files().size(file).value(); }
  std::vector<std::string> list() { return files().list(directory()).value(); }

 private:
  std::vector<std::string> directories_;
};
INSTANTIATE_TEST_SUITE_P(Reactor, Disk, backends(), backend_name);

TEST_P(Disk, AFileIsCreatedOnce) {
  const File file = create("new", "first");
  EXPECT_EQ(try_open("new", OpenMode::create), -EEXIST);
  EXPECT_EQ(content(file), "first");
  files().close(file);
}

TEST_P(Disk, WhatIsMissingIsNotOpened) {
  for (const OpenMode mode : {OpenMode::read, OpenMode::write, OpenMode::directory}) {
    EXPECT_EQ(try_open("missing", mode), -ENOENT);
  }
  files().close(create("file"));
  EXPECT_EQ(try_open("file", OpenMode::directory), -ENOTDIR);
  EXPECT_EQ(list(), std::vector<std::string>{"file"});
}

TEST_P(Disk, ReadsBackWhatWasWrittenInManyPieces) {
  std::string sent = pattern(Operation::kVectorsMax * 1000);
  std::string got(sent.size(), '\0');
  std::vector<iovec> from;
  std::vector<iovec> to;
  for (std::size_t i = 0; i < Operation::kVectorsMax; ++i) {
    from.push_back({sent.data() + i * 1000, 1000});
    to.push_back({got.data() + i * 1000, 1000});
  }
  const File file = create("pieces");
  const std::int32_t wrote = write(file, from, 0, false);
  ASSERT_GT(wrote, 0);
  const auto done = static_cast<std::size_t>(wrote);
  write_all(file, sent.data() + done, sent.size() - done, done);
  const std::int32_t read_bytes = read(file, to, 0);
  ASSERT_GT(read_bytes, 0);
  const auto read_done = static_cast<std::size_t>(read_bytes);
  read_all(file, got.data() + read_done, got.size() - read_done, read_done);
  EXPECT_TRUE(got == sent);
  EXPECT_EQ(size(file), sent.size());
  files().close(file);
}

TEST_P(Disk, AReadEndsWhereTheFileEnds) {
  const File file = create("ten", "0123456789");
  std::string buffer(64, '?');
  EXPECT_EQ(read(file, {vector_of(buffer)}, 10), 0);
  EXPECT_EQ(read(file, {vector_of(buffer)}, 1000), 0);
  const std::int32_t got = read(file, {vector_of(buffer)}, 4);
  EXPECT_GE(got, 1);
  EXPECT_LE(got, 6);
  EXPECT_EQ(content(file, 64, 4), "456789");
  files().close(file);
}

TEST_P(Disk, AnOffsetIsAPlaceInTheFile) {
  const File file = create("places");
  write_all(file, "tail", 4, 6);
  EXPECT_EQ(content(file), std::string(6, '\0') + "tail");
  write_all(file, "head", 4, 0);
  write_all(file, "TA", 2, 6);
  EXPECT_EQ(content(file), std::string("head\0\0TAil", 10));
  EXPECT_EQ(content(file, 3, 7), "Ail");
  files().close(file);
}

TEST_P(Disk, ADurableWriteReadsBack) {
  const std::string text = pattern(100'000);
  const File file = create("durable");
  write_all(file, text.data(), text.size(), 0, true);
  write_all(file, "again", 5, 500, true);
  EXPECT_EQ(content(file).substr(495, 15), text.substr(495, 5) + "again" + text.substr(505, 5));
  files().close(file);
}

TEST_P(Disk, FilesAndDirectoriesAreSynced) {
  const File file = create("synced", "text");
  const File entries = open("", OpenMode::directory);
  EXPECT_EQ(run([&](Operation& op) { files().sync(op, file); }), 0);
  EXPECT_EQ(run([&](Operation& op) { files().sync(op, entries); }), 0);
  EXPECT_EQ(content(file), "text");
  files().close(file);
  files().close(entries);
}

TEST_P(Disk, PreallocatedSpaceReadsAsZero) {
  const File file = create("space", "kept");
  const auto reserved = run([&](Operation& op) { files().preallocate(op, file, 0, 1u << 20); });
  if (reserved == -EOPNOTSUPP) {
    files().close(file);
    GTEST_SKIP() << "the file system of temporary files cannot reserve space";
  }
  ASSERT_EQ(reserved, 0);
  EXPECT_EQ(size(file), 1u << 20);
  EXPECT_TRUE(content(file, 1u << 20) == "kept" + std::string((1u << 20) - 4, '\0'));
  ASSERT_EQ(run([&](Operation& op) { files().preallocate(op, file, 1u << 20, 4096); }), 0);
  EXPECT_EQ(size(file), (1u << 20) + 4096);
  // What lies within does not make it shorter.
  ASSERT_EQ(run([&](Operation& op) { files().preallocate(op, file, 0, 4096); }), 0);
  EXPECT_EQ(size(file), (1u << 20) + 4096);
  files().close(file);
}

TEST_P(Disk, TruncationCutsAndExtends) {
  const File file = create("cut", "0123456789");
  EXPECT_EQ(run([&](Operation& op) { files().truncate(op, file, 4); }), 0);
  EXPECT_EQ(size(file), 4u);
  EXPECT_EQ(run([&](Operation& op) { files().truncate(op, file, 8); }), 0);
  EXPECT_EQ(content(file), std::string("0123\0\0\0\0", 8));
  EXPECT_EQ(run([&](Operation& op) { files().truncate(op, file, 0); }), 0);
  EXPECT_EQ(content(file), "");
  files().close(file);
}

TEST_P(Disk, ARenameReplacesWhatIsThere) {
  files().close(create("old", "old"));
  files().close(create("new", "new"));
  const std::string from = path("new");
  const std::string to = path("old");
  EXPECT_EQ(run([&](Operation& op) { files().rename(op, from.c_str(), to.c_str()); }), 0);
  EXPECT_EQ(list(), std::vector<std::string>{"old"});
  const File file = open("old", OpenMode::read);
  EXPECT_EQ(content(file), "new");
  files().close(file);
  EXPECT_EQ(run([&](Operation& op) { files().rename(op, from.c_str(), to.c_str()); }), -ENOENT);
}

TEST_P(Disk, WhatIsRemovedIsGone) {
  files().close(create("gone", "text"));
  const std::string gone = path("gone");
  EXPECT_EQ(run([&](Operation& op) { files().remove(op, gone.c_str()); }), 0);
  EXPECT_EQ(run([&](Operation& op) { files().remove(op, gone.c_str()); }), -ENOENT);
  EXPECT_EQ(try_open("gone", OpenMode::read), -ENOENT);
  EXPECT_TRUE(list().empty());
}

TEST_P(Disk, NamesAreListedInOrder) {
  for (const char* name : {"b", "a10", "c", "a9"}) files().close(create(name));
  EXPECT_EQ(list(), (std::vector<std::string>{"a10", "a9", "b", "c"}));
  const auto missing = files().list(path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().system_errno, ENOENT);
  EXPECT_NE(missing.error().text.find(path("missing")), std::string::npos) << missing.error().text;
}

TEST_P(Disk, ADirectoryIsMadeOnceAndFoundAgain) {
  const std::string inner = make_directory("inner");
  EXPECT_TRUE(files().make_directory(inner));
  files().close(create("inner/file", "text"));
  EXPECT_EQ(files().list(inner).value(), std::vector<std::string>{"file"});
  const auto blocked = files().make_directory(inner + "/file");
  ASSERT_FALSE(blocked);
  EXPECT_EQ(blocked.error().system_errno, EEXIST);
  const auto nowhere = files().make_directory(path("missing/inner"));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().system_errno, ENOENT);
}

TEST_P(Disk, DirectAccessWorksOrIsRefused) {
  struct alignas(Files::kDirectAlignment) Block {
    std::array<char, Files::kDirectAlignment> bytes;
  };
  constexpr std::size_t kBlocks = 8;
  const std::string text = pattern(kBlocks * sizeof(Block));
  const std::int32_t opened = try_open("direct", OpenMode::create, true);
  if (opened < 0) {
    // A file system without direct access says so, and leaves nothing in the way.
    EXPECT_EQ(opened, -EINVAL);
    files().close(create("direct", text));
    return;
  }
  const File file{opened};
  std::vector<Block> blocks(kBlocks);
  char* bytes = blocks.front().bytes.data();
  std::copy(text.begin(), text.end(), bytes);
  ASSERT_EQ(run([&](Operation& op) { files().preallocate(op, file, 0, 2 * text.size()); }), 0);
  write_all(file, bytes, text.size(), 0, true);
  write_all(file, bytes, text.size(), text.size(), false);
  EXPECT_EQ(run([&](Operation& op) { files().sync(op, file); }), 0);
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{text.size()}}) {
    std::fill_n(bytes, text.size(), '?');
    EXPECT_EQ(read_all(file, bytes, text.size(), offset), text.size());
    EXPECT_TRUE(std::equal(text.begin(), text.end(), bytes));
  }
  files().close(file);
}

TEST_P(Disk, ManyOperationsInFlightCompleteOnceEach) {
  constexpr std::size_t kWrites = 200;
  constexpr std::size_t kBytes = 3000;
  const std::string text = pattern(kWrites * kBytes);
  const File file = create("many");
  std::deque<Probe> probes(kWrites);
  std::vector<iovec> buffers;
  for (std::size_t i = 0; i < kWrites; ++i) {
    buffers.push_back({const_cast<char*>(text.data()) + i * kBytes, kBytes});
  }
  std::size_t done = 0;
  for (std::size_t i = 0; i < kWrites; ++i) {
    probes[i].then = [&](std::int32_t) { ++done; };
    files().write(probes[i].operation, file, {&buffers[i], 1}, i * kBytes, i % 8 == 0);
  }
  loop().run_until([&] { return done == kWrites; });
  loop().settle();
  for (std::size_t i = 0; i < kWrites; ++i) {
    EXPECT_EQ(probes[i].completions(), 1);
    ASSERT_GT(probes[i].result(), 0);
    const auto wrote = static_cast<std::size_t>(probes[i].result());
    write_all(file, text.data() + i * kBytes + wrote, kBytes - wrote, i * kBytes + wrote);
  }
  EXPECT_TRUE(content(file, text.size() + 1) == text);
  files().close(file);
}

TEST_P(Disk, ACancelledOperationCompletesOnce) {
  std::string text = pattern(64 << 10);
  const std::vector<iovec> buffers = {vector_of(text)};
  const File file = create("cancelled");
  std::size_t cancelled = 0;
  for (std::size_t round = 0; round < 20; ++round) {
    std::deque<Probe> probes(40);
    for (std::size_t i = 0; i < probes.size(); ++i) {
      Operation& operation = probes[i].operation;
      if (i % 4 == 0) files().sync(operation, file);
      if (i % 4 != 0) files().write(operation, file, buffers, i * text.size(), i % 4 == 1);
    }
    if (round % 2 == 1) loop().settle();
    for (Probe& probe : probes) loop()->cancel(probe.operation);
    for (Probe& probe : probes) loop().run(probe);
    loop().settle();
    for (const Probe& probe : probes) {
      EXPECT_EQ(probe.completions(), 1);
      EXPECT_TRUE(probe.result() >= 0 || probe.result() == -ECANCELED) << probe.result();
      if (probe.result() == -ECANCELED) ++cancelled;
    }
  }
  RecordProperty("cancelled", static_cast<int>(cancelled));
  // What was cancelled may have been done or not; what follows is done.
  write_all(file, text.data(), text.size(), text.size());
  EXPECT_TRUE(content(file, text.size(), text.size()) == text);
  files().close(file);
}

TEST_P(Disk, SocketsAndFilesShareTheLoop) {
  const Pair pair = connect_pair();
  const File file = create("shared");
  constexpr int kRounds = 50;
  for (int round = 0; round < kRounds; ++round) {
    std::string sent = pattern(5000, static_cast<unsigned>(round));
    std::string received(sent.size(), '\0');
    const std::vector<iovec> buffers = {vector_of(sent)};
    Probe writing;
    Probe receiving;
    Probe sending;
    files().write(writing.operation, file, buffers, 0, round % 2 == 0);
    receiving.receive(*loop(), pair.server, {vector_of(received)});
    sending.send(*loop(), pair.client, {vector_of(sent)});
    loop().run_until([&] { return writing.done() && receiving.done() && sending.done(); });
    EXPECT_GT(writing.result(), 0);
    EXPECT_EQ(sending.result(), static_cast<std::int32_t>(sent.size()));
    ASSERT_GT(receiving.result(), 0);
    const auto got = static_cast<std::size_t>(receiving.result());
    received.resize(got);
    received += receive_all(loop(), pair.server, sent.size() - got, sent.size());
    EXPECT_TRUE(received == sent);
  }
  files().close(file);
  close(pair);
}

TEST_P(Disk, WhatCannotBeDoneIsAnErrno) {
  files().close(create("file", "text"));
  std::string buffer(16, '\0');
  const File reading = open("file", OpenMode::read);
  EXPECT_EQ(write(reading, {vector_of(buffer)}, 0, false), -EBADF);
  EXPECT_LT(run([&](Operation& op) { files().truncate(op, reading, 0); }), 0);
  EXPECT_LT(run([&](Operation& op) { files().preallocate(op, reading, 0, 4096); }), 0);
  EXPECT_EQ(content(reading), "text");
  files().close(reading);
  const File none;
  EXPECT_EQ(read(none, {vector_of(buffer)}, 0), -EBADF);
  EXPECT_EQ(write(none, {vector_of(buffer)}, 0, true), -EBADF);
  EXPECT_EQ(run([&](Operation& op) { files().sync(op, none); }), -EBADF);
  EXPECT_FALSE(files().size(none));
  const std::string inner = make_directory("inner");
  EXPECT_LT(run([&](Operation& op) { files().remove(op, inner.c_str()); }), 0);
}

/// More than a submission queue takes, from a thread that is not the owner.
TEST_P(Disk, OperationsAreStartedBeforeTheFirstWait) {
  files().close(create("there", "text"));
  const std::string there = path("there");
  const std::string missing = path("missing");
  Loop later = make_loop();
  Probe opening;
  std::deque<Probe> removing(700);
  std::thread starter([&] {
    for (Probe& probe : removing) later->files().remove(probe.operation, missing.c_str());
    later->files().open(opening.operation, there.c_str(), OpenMode::read, false);
  });
  starter.join();
  EXPECT_EQ(opening.completions(), 0);
  for (Probe& probe : removing) {
    later.run(probe);
    EXPECT_EQ(probe.result(), -ENOENT);
  }
  later.run(opening);
  ASSERT_GE(opening.result(), 0);
  later->files().close(File{opening.result()});
}

TEST_P(Disk, ACompletionStartsWhatFollows) {
  const std::string draft = path("draft");
  const std::string final_path = path("final");
  std::string text = "written, synced, renamed";
  const std::vector<iovec> buffers = {vector_of(text)};
  File file;
  Probe steps[4];
  steps[0].then = [&](std::int32_t id) {
    file = File{id};
    files().write(steps[1].operation, file, buffers, 0, false);
  };
  steps[1].then = [&](std::int32_t) { files().sync(steps[2].operation, file); };
  steps[2].then = [&](std::int32_t) {
    files().rename(steps[3].operation, draft.c_str(), final_path.c_str());
  };
  files().open(steps[0].operation, draft.c_str(), OpenMode::create, false);
  loop().run(steps[3]);
  EXPECT_EQ(steps[2].result(), 0);
  EXPECT_EQ(steps[3].result(), 0);
  EXPECT_EQ(content(file), text);
  EXPECT_EQ(list(), std::vector<std::string>{"final"});
  files().close(file);
}

/// As in the loop of an embedder, which does not sleep in wait().
TEST_P(Disk, TheDescriptorOfALoopTellsOfItsFiles) {
  pollfd entry{loop()->event_fd(), POLLIN, 0};
  if (entry.fd < 0) GTEST_SKIP() << "a backend without a descriptor";
  std::string text = "text";
  const std::vector<iovec> buffers = {vector_of(text)};
  const File file = create("told");
  for (int round = 0; round < 200; ++round) {
    Probe probe;
    files().write(probe.operation, file, buffers, 0, round % 2 == 0);
    while (!probe.done()) {
      loop()->wait(0);
      // The time only bounds a test that fails.
      if (loop().reap() == 0) {
        ASSERT_EQ(::poll(&entry, 1, 20'000), 1);
      }
    }
    EXPECT_EQ(probe.completions(), 1);
  }
  files().close(file);
}

/// Of this process, without those that io_uring adds on its own.
std::size_t threads() {
  std::size_t count = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(thread.path() / "comm"), name);
    if (!name.starts_with("iou-")) ++count;
  }
  return count;
}

TEST_P(Disk, WhoUsesNoFilesHasNoThreads) {
  const std::size_t before = threads();
  Loop other = make_loop();
  const Pair pair = connect_pair(other);
  EXPECT_LE(threads(), before);
  other->close(pair.client);
  other->close(pair.server);
}

}  // namespace
}  // namespace quorate::reactor
