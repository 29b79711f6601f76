// What the simulated disk does to those who use it. A disk that is kinder than a real one would
// make every other test of the simulation worthless.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/system/disk.h"

namespace quorate::simulation {
namespace {

using reactor::File;
using reactor::OpenMode;
using reactor::Operation;

constexpr std::uint64_t kSeeds = 60;
constexpr std::uint32_t kAlways = 1'000'000;
constexpr std::size_t kBlock = 4096;

struct alignas(kBlock) Block {
  std::byte bytes[kBlock];
};

/// A host with one process that does one thing after another, or several at once.
class Machine final : public FileCompletion {
 public:
  explicit Machine(std::uint64_t seed)
      : scheduler(seed), disk(scheduler, Draw::of(seed, "disk")), draw_(Draw::of(seed, "files")) {
    restart();
  }

  void on_file_done(Operation& operation, std::int32_t result) override {
    operation.state = Operation::State::idle;
    operation.result = result;
    done.push_back(&operation);
  }

  void restart() { files = disk.make_files(*this, Draw(draw_.bits())); }
  void lose_power() {
    disk.power_loss();
    restart();
  }

  std::int32_t finish(Operation& operation) {
    while (operation.in_flight() && scheduler.run_one()) {
    }
    EXPECT_FALSE(operation.in_flight());
    return operation.result;
  }
  std::int32_t try_open(const char* path, OpenMode mode, bool direct = false) {
    Operation operation;
    files->open(operation, path, mode, direct);
    return finish(operation);
  }
  File open(const char* path, OpenMode mode, bool direct = false) {
    const std::int32_t id = try_open(path, mode, direct);
    EXPECT_GE(id, 0) << path;
    return File{id};
  }
  /// An empty file whose entry is durable.
  File create(const char* path, bool direct = false) {
    const File file = open(path, OpenMode::create, direct);
    sync_root();
    return file;
  }
  std::int32_t sync(File file) {
    Operation operation;
    files->sync(operation, file);
    return finish(operation);
  }
  void sync_root() {
    const File root = open("/", OpenMode::directory);
    EXPECT_EQ(sync(root), 0);
    files->close(root);
  }
  std::int32_t write(File file, std::uint64_t block, char content, bool durable = false,
                     std::size_t bytes = kBlock) {
    auto buffer = filled(content);
    const iovec vector{buffer.get(), bytes};
    Operation operation;
    files->write(operation, file, {&vector, 1}, block * kBlock, durable);
    return finish(operation);
  }
  /// What is in the sectors of a block; '?' for one that is not filled with one letter.
  std::string read(File file, std::uint64_t block) {
    auto buffer = filled('!');
    const iovec vector{buffer.get(), kBlock};
    Operation operation;
    files->read(operation, file, {&vector, 1}, block * kBlock);
    const std::int32_t result = finish(operation);
    if (result < 0) return "error";
    return sectors(*buffer, static_cast<std::size_t>(result));
  }
  std::int32_t rename(const char* from, const char* to) {
    Operation operation;
    files->rename(operation, from, to);
    return finish(operation);
  }
  std::int32_t remove(const char* path) {
    Operation operation;
    files->remove(operation, path);
    return finish(operation);
  }
  std::int32_t preallocate(File file, std::uint64_t bytes) {
    Operation operation;
    files->preallocate(operation, file, 0, bytes);
    return finish(operation);
  }
  std::int32_t truncate(File file, std::uint64_t bytes) {
    Operation operation;
    files->truncate(operation, file, bytes);
    return finish(operation);
  }
  std::uint64_t size(File file) { return files->size(file).value(); }

  static std::unique_ptr<Block> filled(char content) {
    auto block = std::make_unique<Block>();
    for (std::byte& byte : block->bytes) byte = static_cast<std::byte>(content);
    return block;
  }
  static std::string sectors(const Block& block, std::size_t bytes) {
    std::string text;
    for (std::size_t at = 0; at + kSectorBytes <= bytes; at += kSectorBytes) {
      const std::set<std::byte> seen(block.bytes + at, block.bytes + at + kSectorBytes);
      const char content = static_cast<char>(*seen.begin());
      text += seen.size() > 1 ? '?' : content == 0 ? '0' : content;
    }
    return text;
  }

  Scheduler scheduler;
  Disk disk;
  std::unique_ptr<reactor::Files> files;
  std::vector<Operation*> done;

 private:
  Draw draw_;
};

const std::string kOld(8, 'o'), kNew(8, 'n'), kZero(8, '0');

/// Several writes or syncs in flight together.
struct Pending {
  std::unique_ptr<Block> buffer;
  iovec vector{};
  Operation operation;

  void write(Machine& machine, File file, std::uint64_t block, char content, bool durable) {
    buffer = Machine::filled(content);
    vector = {buffer.get(), kBlock};
    machine.files->write(operation, file, {&vector, 1}, block * kBlock, durable);
  }
};

TEST(Disk, KeepsWhatWasSyncedThroughPowerLoss) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    EXPECT_EQ(machine.write(file, 0, 'a'), 4096);
    EXPECT_EQ(machine.sync(file), 0);
    EXPECT_EQ(machine.write(file, 1, 'b', true), 4096);
    machine.lose_power();
    const File again = machine.open("/a", OpenMode::read);
    EXPECT_EQ(machine.size(again), 2 * kBlock);
    EXPECT_EQ(machine.read(again, 0), std::string(8, 'a'));
    EXPECT_EQ(machine.read(again, 1), std::string(8, 'b'));
  }
}

TEST(Disk, LeavesUnsyncedSectorsOldNewOrGarbage) {
  std::string seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    machine.write(file, 0, 'o', true);
    machine.write(file, 0, 'n');
    EXPECT_EQ(machine.read(file, 0), kNew);
    machine.lose_power();
    seen += machine.read(machine.open("/a", OpenMode::read), 0);
    EXPECT_EQ(seen.size(), seed * 8);
  }
  EXPECT_EQ(seen.find_first_not_of("on?"), std::string::npos) << seen;
  for (const char each : {'o', 'n', '?'}) EXPECT_NE(seen.find(each), std::string::npos) << each;
}

TEST(Disk, TearsWritesInFlight) {
  std::uint64_t torn = 0, untouched = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    machine.write(file, 0, 'o', true);
    Pending write;
    write.write(machine, file, 0, 'n', true);
    machine.lose_power();
    EXPECT_EQ(write.operation.result, -EIO);
    EXPECT_FALSE(write.operation.in_flight());
    const std::string found = machine.read(machine.open("/a", OpenMode::read), 0);
    untouched += found == kOld ? 1 : 0;
    torn += machine.disk.counts().torn_writes;
    if (found.find('n') != found.npos && found.find('o') != found.npos) {
      EXPECT_EQ(machine.disk.counts().torn_writes, 1u);
    }
  }
  EXPECT_GT(torn, 0u);
  EXPECT_GT(untouched, 0u);
}

TEST(Disk, MayLoseAnEntryWhoseDirectoryWasNotSynced) {
  std::size_t kept = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.open("/a", OpenMode::create);
    machine.write(file, 0, 'a', true);
    machine.lose_power();
    kept += machine.try_open("/a", OpenMode::read) >= 0 ? 1 : 0;
  }
  EXPECT_GT(kept, 0u);
  EXPECT_LT(kept, kSeeds);
}

TEST(Disk, KeepsRenamesAndRemovalsOnceTheDirectoryIsSynced) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    machine.write(machine.create("/a"), 0, 'a', true);
    machine.create("/b");
    EXPECT_EQ(machine.rename("/a", "/c"), 0);
    EXPECT_EQ(machine.remove("/b"), 0);
    machine.sync_root();
    machine.lose_power();
    EXPECT_EQ(machine.files->list("/").value(), std::vector<std::string>{"c"});
    EXPECT_EQ(machine.read(machine.open("/c", OpenMode::read), 0), std::string(8, 'a'));
  }
}

TEST(Disk, NeverLosesAFileBetweenTwoNames) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    machine.write(machine.create("/new"), 0, 'n', true);
    machine.write(machine.create("/log"), 0, 'o', true);
    EXPECT_EQ(machine.rename("/new", "/log"), 0);
    machine.lose_power();
    const bool undone = machine.try_open("/new", OpenMode::read) >= 0;
    const std::string found = machine.read(machine.open("/log", OpenMode::read), 0);
    EXPECT_EQ(found, undone ? kOld : kNew);
    seen.insert(found);
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST(Disk, MayLoseADirectoryWithAllThatIsInIt) {
  std::set<std::size_t> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    EXPECT_TRUE(machine.files->make_directory("/d"));
    machine.open("/d/x", OpenMode::create);
    const bool synced = seed % 2 == 0;
    if (synced) {
      EXPECT_EQ(machine.sync(machine.open("/d", OpenMode::directory)), 0);
    }
    machine.lose_power();
    const auto names = machine.files->list("/d");
    seen.insert(names ? names->size() : 2);
    if (synced) {
      EXPECT_TRUE(names && names->size() == 1);
    }
  }
  EXPECT_EQ(seen.size(), 3u);
}

TEST(Disk, SyncsOnlyWhatWasWrittenBeforeTheSyncStarted) {
  std::set<char> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    machine.write(file, 0, 'o');
    machine.disk.law.latency_min_ns = machine.disk.law.latency_max_ns = kSecond_ns;
    Operation sync;
    machine.files->sync(sync, file);
    machine.disk.law.latency_min_ns = machine.disk.law.latency_max_ns = 1;
    machine.write(file, 0, 'n');
    EXPECT_EQ(machine.finish(sync), 0);
    EXPECT_EQ(machine.read(file, 0), kNew);
    machine.lose_power();
    for (const char c : machine.read(machine.open("/a", OpenMode::read), 0)) seen.insert(c);
  }
  EXPECT_EQ(seen, (std::set<char>{'o', 'n', '?'}));
}

TEST(Disk, NeverLosesTheOldContentUnderAnInterruptedSync) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    machine.write(file, 0, 'o', true);
    machine.disk.law.latency_min_ns = machine.disk.law.latency_max_ns = kSecond_ns;
    Operation sync;
    machine.files->sync(sync, file);
    machine.disk.abandon(machine);
    EXPECT_EQ(sync.result, -EIO);
    machine.lose_power();
    EXPECT_EQ(machine.read(machine.open("/a", OpenMode::read), 0), kOld);
  }
}

TEST(Disk, LiesAboutASyncAfterOneThatFailed) {
  std::uint64_t lied = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    machine.write(file, 0, 'o', true);
    machine.write(file, 0, 'n');
    machine.disk.fail_next_sync();
    EXPECT_EQ(machine.sync(file), -EIO);
    EXPECT_EQ(machine.sync(file), 0);
    EXPECT_EQ(machine.read(file, 0), kNew);
    const File direct = machine.open("/a", OpenMode::read, true);
    const std::string medium = machine.read(direct, 0);
    machine.lose_power();
    EXPECT_EQ(machine.read(machine.open("/a", OpenMode::read), 0), medium);
    lied += medium == kNew ? 0 : 1;
    EXPECT_EQ(machine.disk.counts().errors, 1u);
  }
  EXPECT_GT(lied, kSeeds / 2);
}

TEST(Disk, FailsEverythingUntilItIsHealed) {
  Machine machine(1);
  const File file = machine.create("/a");
  machine.disk.fail_always(true);
  EXPECT_EQ(machine.write(file, 0, 'a'), -EIO);
  EXPECT_EQ(machine.sync(file), -EIO);
  EXPECT_EQ(machine.read(file, 0), "error");
  EXPECT_EQ(machine.try_open("/b", OpenMode::create), -EIO);
  EXPECT_FALSE(machine.files->list("/"));
  EXPECT_EQ(machine.disk.counts().sticky_errors, 4u);
  machine.disk.fail_always(false);
  EXPECT_EQ(machine.write(file, 0, 'a', true), 4096);
}

TEST(Disk, HasNoMoreSpaceThanItsCapacity) {
  Machine machine(1);
  machine.disk.law.capacity_bytes = 3 * kBlock;
  const File a = machine.create("/a"), b = machine.create("/b");
  EXPECT_EQ(machine.preallocate(a, 2 * kBlock), 0);
  EXPECT_EQ(machine.preallocate(b, 2 * kBlock), -ENOSPC);
  EXPECT_EQ(machine.write(b, 0, 'b'), 4096);
  EXPECT_EQ(machine.write(b, 1, 'b'), -ENOSPC);
  EXPECT_EQ(machine.write(a, 1, 'a'), 4096);
  EXPECT_EQ(machine.disk.counts().full, 2u);
  EXPECT_EQ(machine.remove("/a"), 0);
  EXPECT_EQ(machine.write(b, 1, 'b'), 4096);
}

TEST(Disk, PutsAMisdirectedWriteElsewhereAndSaysSuccess) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File a = machine.create("/a", true), b = machine.create("/b", true);
    for (std::uint64_t block = 0; block < 3; ++block) {
      machine.write(a, block, 'o', true);
      machine.write(b, block, 'o', true);
    }
    machine.disk.law.misdirected_writes = kAlways;
    EXPECT_EQ(machine.write(a, 1, 'n', true), 4096);
    EXPECT_EQ(machine.read(a, 1), kOld);
    std::size_t elsewhere = 0;
    for (std::uint64_t block = 0; block < 3; ++block) {
      elsewhere += machine.read(a, block) == kNew ? 1 : 0;
      elsewhere += machine.read(b, block) == kNew ? 1 : 0;
    }
    EXPECT_EQ(elsewhere, 1u);
    EXPECT_EQ(machine.disk.counts().misdirected_writes, 1u);
  }
}

TEST(Disk, LeavesTheStaleSectorUnderALostWrite) {
  Machine machine(1);
  const File file = machine.create("/a");
  machine.write(file, 0, 'o', true);
  machine.disk.law.lost_writes = kAlways;
  EXPECT_EQ(machine.write(file, 0, 'n', true), 4096);
  EXPECT_EQ(machine.read(file, 0), kNew) << "the page cache does not know";
  EXPECT_EQ(machine.read(machine.open("/a", OpenMode::read, true), 0), kOld);
  machine.lose_power();
  EXPECT_EQ(machine.read(machine.open("/a", OpenMode::read), 0), kOld);
  EXPECT_EQ(machine.disk.counts().lost_writes, 1u);
}

TEST(Disk, FlipsOneBitOfADurableSector) {
  Machine machine(1);
  const File file = machine.create("/a");
  machine.write(file, 0, 'o', true);
  machine.disk.law.bit_flips = kAlways;
  machine.sync(file);
  machine.disk.law.bit_flips = 0;
  EXPECT_EQ(machine.disk.counts().bit_flips, 1u);
  auto buffer = Machine::filled('!');
  const iovec vector{buffer.get(), kBlock};
  Operation operation;
  machine.files->read(operation, file, {&vector, 1}, 0);
  machine.finish(operation);
  int flipped = 0;
  for (const std::byte byte : buffer->bytes) {
    flipped += __builtin_popcount(static_cast<unsigned>(byte) ^ static_cast<unsigned>('o'));
  }
  EXPECT_EQ(flipped, 1);
}

TEST(Disk, StallsAnOperation) {
  Machine machine(1);
  const File file = machine.create("/a");
  machine.disk.law.stalls = kAlways;
  const Instant before = machine.scheduler.now();
  EXPECT_EQ(machine.sync(file), 0);
  EXPECT_GE(machine.scheduler.now() - before, machine.disk.law.stall_ns);
  EXPECT_EQ(machine.disk.counts().stalls, 1u);
}

TEST(Disk, DoesOnlyAPartOfReadsAndWrites) {
  Machine machine(1);
  machine.disk.law.short_results = kAlways;
  const File file = machine.create("/a");
  const std::int32_t written = machine.write(file, 0, 'a');
  EXPECT_GT(written, 0);
  EXPECT_LT(written, 4096);
  EXPECT_EQ(machine.size(file), static_cast<std::uint64_t>(written));
  const File direct = machine.create("/b", true);
  EXPECT_EQ(machine.write(direct, 0, 'a'), 4096) << "there is no smaller part";
  struct alignas(kBlock) { std::byte bytes[4 * kBlock]; } blocks;
  const iovec vector{&blocks, sizeof blocks};
  Operation operation;
  machine.files->write(operation, direct, {&vector, 1}, 0, false);
  const std::int32_t part = machine.finish(operation);
  EXPECT_EQ(part % 4096, 0);
  EXPECT_GT(part, 0);
  EXPECT_LT(part, 4 * 4096);
}

TEST(Disk, CompletesOutOfOrder) {
  Machine machine(1);
  const File file = machine.create("/a");
  std::deque<Pending> writes(8);
  machine.done.clear();
  std::vector<Operation*> started;
  for (std::uint64_t i = 0; i < writes.size(); ++i) {
    writes[i].write(machine, file, i, 'a', false);
    started.push_back(&writes[i].operation);
  }
  while (machine.scheduler.run_one()) {
  }
  EXPECT_EQ(machine.done.size(), started.size());
  EXPECT_NE(machine.done, started);
}

TEST(Disk, ReadsTheBufferOfAWriteLate) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    machine.disk.law.latency_min_ns = 1000;
    Pending write;
    write.write(machine, file, 0, 'o', false);
    // Half of the time that it can take at most.
    const Instant until = machine.scheduler.now() + machine.disk.law.latency_max_ns / 2;
    while (machine.scheduler.next() <= until) machine.scheduler.run_one();
    std::memset(write.buffer.get(), 'n', kBlock);
    machine.finish(write.operation);
    seen.insert(machine.read(file, 0));
  }
  EXPECT_EQ(seen, (std::set<std::string>{kOld, kNew}));
}

TEST(Disk, KeepsThePageCacheOfAProcessThatDied) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    machine.write(file, 0, 'a');
    machine.write(file, 1, 'o');
    Pending write;
    write.write(machine, file, 1, 'n', true);
    machine.disk.abandon(machine);
    EXPECT_EQ(write.operation.result, -EIO);
    Operation late;
    machine.files->sync(late, file);
    EXPECT_EQ(late.result, -EIO) << "the dead start nothing";
    while (machine.scheduler.run_one()) {
    }
    machine.restart();
    const File again = machine.open("/a", OpenMode::read);
    EXPECT_EQ(machine.read(again, 0), std::string(8, 'a'));
    seen.insert(machine.read(again, 1));
  }
  EXPECT_EQ(seen, (std::set<std::string>{kOld, kNew}));
}

TEST(Disk, IsEmptyAfterAWipe) {
  Machine machine(1);
  machine.write(machine.create("/a"), 0, 'a', true);
  machine.disk.wipe();
  machine.restart();
  EXPECT_TRUE(machine.files->list("/").value().empty());
  EXPECT_EQ(machine.try_open("/a", OpenMode::read), -ENOENT);
  EXPECT_EQ(machine.disk.counts().wipes, 1u);
}

TEST(Disk, CancelsOrCompletesAsUsual) {
  std::set<std::int32_t> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    const File file = machine.create("/a");
    machine.write(file, 0, 'o');
    Pending write;
    write.write(machine, file, 0, 'n', false);
    EXPECT_TRUE(machine.disk.cancel(write.operation));
    EXPECT_TRUE(write.operation.in_flight()) << "never inside the call";
    const std::int32_t result = machine.finish(write.operation);
    EXPECT_FALSE(machine.disk.cancel(write.operation));
    EXPECT_EQ(machine.read(file, 0), result == 4096 ? kNew : kOld);
    seen.insert(result);
  }
  EXPECT_EQ(seen, (std::set<std::int32_t>{-ECANCELED, 4096}));
}

TEST(Disk, ReadsZeroWhereNothingWasWritten) {
  Machine machine(1);
  const File file = machine.create("/a");
  machine.write(file, 0, 'a', true);
  EXPECT_EQ(machine.preallocate(file, 2 * kBlock), 0);
  EXPECT_EQ(machine.read(file, 1), kZero);
  EXPECT_EQ(machine.truncate(file, 0), 0);
  EXPECT_EQ(machine.read(file, 0), "");
  EXPECT_EQ(machine.truncate(file, kBlock), 0);
  EXPECT_EQ(machine.read(file, 0), kZero);
  EXPECT_EQ(machine.sync(file), 0);
  machine.lose_power();
  EXPECT_EQ(machine.read(machine.open("/a", OpenMode::read), 0), kZero);
}

TEST(Disk, AnswersErrorsAsLinuxDoes) {
  Machine machine(1);
  EXPECT_EQ(machine.try_open("/a", OpenMode::read), -ENOENT);
  EXPECT_EQ(machine.try_open("/no/a", OpenMode::create), -ENOENT);
  const File file = machine.create("/a");
  EXPECT_EQ(machine.try_open("/a", OpenMode::create), -EEXIST);
  EXPECT_EQ(machine.try_open("/a", OpenMode::directory), -ENOTDIR);
  EXPECT_EQ(machine.try_open("/a/b", OpenMode::create), -ENOTDIR);
  EXPECT_EQ(machine.try_open("/", OpenMode::write), -EISDIR);
  EXPECT_EQ(machine.rename("/b", "/c"), -ENOENT);
  EXPECT_EQ(machine.remove("/b"), -ENOENT);
  EXPECT_EQ(machine.remove("/"), -EISDIR);
  EXPECT_EQ(machine.sync(File{77}), -EBADF);
  EXPECT_EQ(machine.write(machine.open("/a", OpenMode::read), 0, 'a'), -EBADF);
  const File direct = machine.open("/a", OpenMode::write, true);
  EXPECT_EQ(machine.write(direct, 0, 'a', false, 512), -EINVAL);
  machine.files->close(file);
  EXPECT_EQ(machine.sync(file), -EBADF);
}

std::uint64_t trace_of(std::uint64_t seed) {
  Machine machine(seed);
  const File file = machine.create("/a");
  machine.disk.law.errors = machine.disk.law.short_results = 100'000;
  for (std::uint64_t i = 0; i < 20; ++i) {
    Pending writes[3];
    for (Pending& write : writes) write.write(machine, file, i % 7, static_cast<char>(i), i % 2);
    for (Pending& write : writes) {
      machine.scheduler.mix(static_cast<std::uint64_t>(machine.finish(write.operation)));
    }
  }
  machine.lose_power();
  const std::int32_t id = machine.try_open("/a", OpenMode::read);
  for (std::uint64_t i = 0; i < 7; ++i) {
    for (const char c : machine.read(File{id}, i)) {
      machine.scheduler.mix(static_cast<std::uint64_t>(c));
    }
  }
  return machine.scheduler.hash();
}

TEST(Disk, DoesTheSameForTheSameSeed) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    EXPECT_EQ(trace_of(seed), trace_of(seed));
  }
  EXPECT_NE(trace_of(1), trace_of(2));
}

}  // namespace
}  // namespace quorate::simulation
