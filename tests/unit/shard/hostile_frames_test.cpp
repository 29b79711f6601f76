// A primary that means harm, and feeds a replica by two connections at once.

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <span>

#include "tests/support/log_frames.h"
#include "tests/unit/shard/hostile_rig.h"
#include "wire/frame.h"
#include "wire/records.h"

namespace quorate::shard {
namespace {

using core::Verdict;
using log::LogEnd;
using log::LogFrame;
using wire::MessageType;

/// Envelope, header and prefix: with them a frame is accepted, and its records are awaited.
constexpr std::size_t kHeadBytes = wire::kEnvelopeBytes + wire::kFramePrologueBytes;

class HostileFramesTest : public AfterAnHonestPrimary {
 protected:
  /// The frame of one record that follows there.
  [[nodiscard]] LogFrame frame_after(const LogEnd& end, std::uint32_t record_bytes) const {
    test::Bytes records(wire::padded_record_bytes(record_bytes), std::byte{'y'});
    const wire::RecordWord word{record_bytes, wire::RecordKind::data, 0};
    std::memcpy(records.data(), &word, sizeof word);
    return log::frame_of(end, epoch_, records, 1);
  }

  /// Feeds it, and withholds the records of the second frame. Returns when the replica awaits them:
  /// the head of that frame comes with the frame before, which is acknowledged.
  HostileSession begun() {
    const LogEnd held{held_.position, 0, held_.epoch, held_.checksum};
    const LogFrame first = frame_after(held, 100);
    fed_ = log::end_after(first);
    HostileSession session = hostile_->catch_up(Verdict::catch_up, held_.position);
    session.say_verdict(Verdict::resumed, held_.position);
    test::Bytes bytes = session.next_unit(MessageType::batch, first.bytes);
    const test::Bytes next =
        session.next_unit(MessageType::batch, frame_after(fed_, 2000).bytes);
    bytes.insert(bytes.end(), next.begin(), next.begin() + kHeadBytes);
    withheld_.assign(next.begin() + kHeadBytes, next.end());
    session.say_bytes(bytes);
    EXPECT_TRUE(session.hear_received(fed_.position));
    return session;
  }

  LogEnd fed_;  ///< behind the first frame
  test::Bytes withheld_;
};
INSTANTIATE_TEST_SUITE_P(On, HostileFramesTest,
                         testing::Values(Backend::io_uring, Backend::epoll),
                         [](const testing::TestParamInfo<Backend>& backend) {
                           return backend.param == Backend::epoll ? "epoll" : "io_uring";
                         });

TEST_P(HostileFramesTest, RecordsThatComeAfterAnotherFrameTookTheirPlaceAreNotTaken) {
  HostilePrimary& hostile = begin_hostile();
  {
    HostileSession session = begun();
    hostile.live().say_verdict(Verdict::needs_full_copy, 0);
    EXPECT_EQ(hostile.claim().position, fed_.position);
    hostile.live().say_verdict(Verdict::resumed, fed_.position);
    const LogFrame other = frame_after(fed_, 1000);
    hostile.live().say(MessageType::batch, other.bytes);
    EXPECT_TRUE(hostile.live().hear_received(other.header.end));
    hostile.live().say_verdict(Verdict::catch_up, other.header.end);
    // A replica that still listens tells of what it received elsewhere.
    if (session.hear_received(other.header.end)) session.say_bytes(withheld_);
    EXPECT_EQ(session.until_closed(), "");
  }
  expect_unharmed();
}

TEST_P(HostileFramesTest, NothingIsClaimedWhileAnotherConnectionMayWriteIntoTheRing) {
  HostilePrimary& hostile = begin_hostile();
  {
    HostileSession session = begun();
    hostile.live().say_verdict(Verdict::needs_full_copy, 0);
    EXPECT_EQ(hostile.claim().position, fed_.position);
    EXPECT_TRUE(eventually([&] { return session.closed(); }));
  }
  expect_unharmed();
}

}  // namespace
}  // namespace quorate::shard
