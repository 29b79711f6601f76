// What a replica does with the files of a snapshot, with each operation on them refused in turn.

#include "shard/snapshot_receiver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "reactor/reactor.h"
#include "tests/unit/log/failing_files.h"
#include "wire/crc32c.h"
#include "wire/verify.h"

namespace quorate::shard {
namespace {

using log::FailingReactor;
using log::Refusal;
using Bytes = std::vector<std::byte>;

constexpr StreamId kStream = 3;
constexpr Position kPosition = 1000;
constexpr Position kHeld = 200;

Bytes some_bytes(std::size_t size) {
  Bytes bytes(size);
  std::uint32_t value = 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((value = value * 1664525 + 1) >> 24);
  return bytes;
}

core::SnapshotHead head_of(const Bytes& content, std::uint64_t id) {
  return {kStream, id, kPosition, {5, 77}, 11, kPosition + 40, content.size(),
          wire::crc32c(content), true};
}

/// A stream's directory, and a receiver that is opened anew as often as wanted.
class Receiving : public testing::Test {
 protected:
  Receiving() {
    std::string name = (std::filesystem::temp_directory_path() / "quorate-receive-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    restart({});
  }
  ~Receiving() override {
    receiver_.reset();
    std::filesystem::remove_all(directory_);
  }

  void restart(const Refusal& refusal) {
    receiver_.reset();
    std::string why;
    reactor_ = std::make_unique<FailingReactor>(
        std::move(reactor::make_reactor(Backend::epoll, why)).value(), refusal);
    receiver_ = std::make_unique<SnapshotReceiver>(*reactor_, directory_, kStream, find(0, kHeld));
  }
  /// As at open, of a log with these ends.
  FoundSnapshots find(Position first, Position end) {
    std::string why;
    const auto reactor = std::move(reactor::make_reactor(Backend::epoll, why)).value();
    log::BlockingFiles files(reactor->files(), [&] {
      reactor->wait(kNever);
      reactor->reap();
    });
    return find_snapshots(files, directory_, kStream, first, end).value();
  }
  void turn() {
    reactor_->wait(kNever);
    reactor_->reap();
  }

  /// As a connection does it, that ends when it is done, when the disk refused, or when the file
  /// has been sent up to `until`. True: done.
  bool transfer(const core::SnapshotHead& head, const Bytes& content,
                std::uint64_t until = ~std::uint64_t{0}) {
    EXPECT_TRUE(receiver_->begin(head, kPosition, kHeld));
    std::optional<std::uint64_t> at;
    while (receiver_->failure().empty() && !receiver_->done()) {
      if (const auto request = receiver_->take_request()) at = first_asked_ = request->offset;
      if (at && *at < content.size() && *at < until && receiver_->room()) {
        const std::size_t size =
            std::min<std::size_t>(wire::kSnapshotChunkBytesMax, content.size() - *at);
        EXPECT_TRUE(receiver_->take({head.id, *at, std::span(content).subspan(*at, size)}));
        *at += size;
      } else if (!receiver_->idle()) {
        turn();
      } else if (!receiver_->done() && receiver_->failure().empty()) {
        EXPECT_TRUE(at && *at >= until) << "it waits for nothing";
        break;
      }
    }
    const bool done = receiver_->done();
    receiver_->end();
    while (!receiver_->idle()) turn();
    return done;
  }
  [[nodiscard]] Bytes file(std::uint64_t id) const {
    std::ifstream in(directory_ + "/" + snapshot_name(id, SnapshotFile::data), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }
  [[nodiscard]] std::size_t files() const {
    const std::filesystem::directory_iterator all(directory_);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  std::string directory_;
  std::unique_ptr<FailingReactor> reactor_;
  std::unique_ptr<SnapshotReceiver> receiver_;
  std::uint64_t first_asked_ = ~std::uint64_t{0};
};

TEST_F(Receiving, ASnapshotIsThereByteForByte) {
  for (const std::size_t size : {0u, 1u, 61'440u, 245'760u, 245'761u, 1'000'000u}) {
    const Bytes content = some_bytes(size);
    const auto head = head_of(content, 100 + size);
    ASSERT_TRUE(transfer(head, content)) << size;
    EXPECT_EQ(file(head.id), content) << size;
  }
  EXPECT_EQ(files(), 2u) << "the ones before are gone";
}

TEST_F(Receiving, OneWithoutAFileIsAHeadAlone) {
  core::SnapshotHead head = head_of({}, 9);
  head.has_file = false;
  ASSERT_TRUE(transfer(head, {}));
  receiver_->on_begun_anew(head);
  EXPECT_TRUE(receiver_->path().empty());
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(find(kPosition, 2000).base, head);
}

TEST_F(Receiving, WhatWasWrittenIsNotAskedForAgain) {
  const Bytes content = some_bytes(1'000'000);
  const auto head = head_of(content, 9);
  EXPECT_FALSE(transfer(head, content, 500'000));
  EXPECT_EQ(first_asked_, 0u);
  EXPECT_FALSE(transfer(head, content, 700'000));
  EXPECT_EQ(first_asked_, 491'520u);
  restart({});
  ASSERT_TRUE(transfer(head, content));
  EXPECT_EQ(first_asked_, 737'280u);
  EXPECT_EQ(file(9), content);
}

TEST_F(Receiving, APartOfAnotherOfferIsRemoved) {
  const Bytes content = some_bytes(600'000);
  EXPECT_FALSE(transfer(head_of(content, 9), content, 500'000));
  ASSERT_TRUE(transfer(head_of(content, 10), content));
  EXPECT_EQ(first_asked_, 0u);
  EXPECT_EQ(files(), 2u);
}

TEST_F(Receiving, WrongBytesAreFoundAndRemoved) {
  const Bytes content = some_bytes(300'000);
  Bytes wrong = content;
  wrong[150'000] ^= std::byte{1};
  const auto head = head_of(content, 9);
  EXPECT_FALSE(transfer(head, wrong));
  EXPECT_NE(receiver_->failure().find("checksum"), std::string::npos);
  EXPECT_FALSE(receiver_->progressed());
  EXPECT_EQ(files(), 0u);
  ASSERT_TRUE(transfer(head, content));
  EXPECT_EQ(file(9), content);
}

TEST_F(Receiving, APieceThatWasNotAskedForIsNotTaken) {
  const Bytes content = some_bytes(100'000);
  EXPECT_FALSE(transfer(head_of(content, 9), content, 1));
  const transport::SnapshotChunk chunk{9, 0, std::span(content).first(8)};
  EXPECT_FALSE(receiver_->take(chunk)) << "no connection";
  ASSERT_TRUE(receiver_->begin(head_of(content, 9), kPosition, kHeld));
  EXPECT_FALSE(receiver_->take(chunk)) << "before it was asked for";
  while (!receiver_->take_request()) turn();
  EXPECT_FALSE(receiver_->take({8, 0, chunk.bytes})) << "of another offer";
  EXPECT_TRUE(receiver_->take(chunk));
  EXPECT_FALSE(receiver_->take(chunk)) << "again";
  receiver_->end();
  while (!receiver_->idle()) turn();
}

TEST_F(Receiving, TheIdOfTheOneThatTheLogBeganWithIsNotTakenAgain) {
  const Bytes content = some_bytes(1000);
  auto head = head_of(content, 9);
  ASSERT_TRUE(transfer(head, content));
  receiver_->on_begun_anew(head);
  head.position += 800;
  head.program += 800;
  EXPECT_FALSE(receiver_->begin(head, head.position, kPosition));
  EXPECT_EQ(file(9), content);
  head.id = 10;
  EXPECT_TRUE(receiver_->begin(head, head.position, kPosition));
  receiver_->end();
  while (!receiver_->idle()) turn();
}

TEST_F(Receiving, WhatCameIsRemovedWhenTheLogGoesOnWithoutIt) {
  const Bytes content = some_bytes(600'000);
  const auto head = head_of(content, 9);
  EXPECT_FALSE(transfer(head, content, 500'000));
  const auto keep_house = [&](bool goes_on) {
    receiver_->keep_house(0, goes_on);
    while (!receiver_->idle()) turn();
    return files();
  };
  EXPECT_EQ(keep_house(false), 2u) << "it may still be gone on with";
  EXPECT_EQ(keep_house(true), 0u);
  ASSERT_TRUE(transfer(head, content));
  EXPECT_EQ(first_asked_, 0u);
  EXPECT_EQ(file(9), content);
}

TEST_F(Receiving, AtOpenTheOneThatTheLogBeganWithIsFoundAndTheRestGoes) {
  const Bytes content = some_bytes(1000);
  const auto head = head_of(content, 9);
  ASSERT_TRUE(transfer(head, content));
  const auto before = find(0, kHeld);
  EXPECT_FALSE(before.base.has_value()) << "the log has not begun anew";
  ASSERT_TRUE(before.held.has_value());
  EXPECT_TRUE(before.held->whole);
  const auto after = find(kPosition, kPosition);
  EXPECT_EQ(after.base, head);
  EXPECT_FALSE(after.held.has_value());
  EXPECT_FALSE(find(kPosition + 1, 5000).base.has_value()) << "the log has gone on";
  EXPECT_EQ(files(), 0u);
}

TEST_F(Receiving, AtOpenAFileWithoutAWholeHeadIsOfNoUse) {
  const Bytes content = some_bytes(1000);
  ASSERT_TRUE(transfer(head_of(content, 9), content));
  const std::string path = directory_ + "/" + snapshot_name(9, SnapshotFile::head);
  std::filesystem::resize_file(path, 100);
  EXPECT_FALSE(find(kPosition, kPosition).base.has_value());
  EXPECT_EQ(files(), 0u);
}

TEST_F(Receiving, WhenTheDiskRefusesWhateverItIsTheNextTimeMakesItWhole) {
  const Bytes content = some_bytes(600'000);
  for (const int error : {ENOSPC, EIO}) {
    bool refused = true;
    for (std::uint64_t at = 1; refused; ++at) {
      const auto head = head_of(content, at);
      restart({at, false, -error});
      const bool done = transfer(head, content);
      refused = reactor_->refused() != 0;
      // What cannot be removed only takes space.
      if (refused && reactor_->first_refused().find("remov") == std::string::npos) {
        EXPECT_FALSE(done) << reactor_->first_refused();
        EXPECT_FALSE(receiver_->failure().empty()) << reactor_->first_refused();
      }
      if (!done) {
        ASSERT_TRUE(transfer(head, content)) << reactor_->first_refused();
      }
      ASSERT_EQ(file(head.id), content) << reactor_->first_refused();
      ASSERT_LT(at, 100u);
    }
  }
}

TEST_F(Receiving, AFullDiskKeepsWhatWasWritten) {
  const Bytes content = some_bytes(1'000'000);
  const auto head = head_of(content, 9);
  EXPECT_FALSE(transfer(head, content, 500'000));
  // The part is opened, and then written.
  restart({2, false, -ENOSPC});
  EXPECT_FALSE(transfer(head, content));
  EXPECT_NE(reactor_->first_refused().find("write"), std::string::npos)
      << reactor_->first_refused();
  ASSERT_TRUE(transfer(head, content));
  EXPECT_EQ(first_asked_, 491'520u);
  EXPECT_EQ(file(9), content);
}

}  // namespace
}  // namespace quorate::shard
