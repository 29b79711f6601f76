#pragma once

// For tests: a short history, told by hand.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/simulation/model/right_history.h"
#include "tests/simulation/model/violation.h"

namespace quorate::simulation {

inline constexpr Epoch kFirst{1, 5};
inline constexpr Epoch kSecond{2, 9};

/// Two replicas with processes 1 and 2, one stream, two protected copies; rule 0 asks for one
/// replica, rule 1 for both, rule 2 for one that has applied, rule 3 for a durable one.
class Story {
 public:
  explicit Story(std::uint32_t protected_copies = 2) {
    history_.config.replicas = 2;
    history_.config.protected_copies = protected_copies;
    history_.config.rules = {{Level::received, 1, 3}, {Level::received, 2, 3},
                             {Level::applied, 1, 3}, {Level::durable, 1, 3}};
    add({.kind = EventKind::reign_began, .epoch = kFirst});
    add({.kind = EventKind::process_began, .replica = 0, .process = 1}).resume(1);
    add({.kind = EventKind::process_began, .replica = 1, .process = 2}).resume(2);
  }

  Story& add(const HistoryEvent& event) {
    history_.events.push_back(event);
    return *this;
  }
  Story& claim(Position begin, Position end) {
    return add({.kind = EventKind::claimed, .begin = begin, .end = end, .content = end});
  }
  Story& publish(Position begin) { return add({.kind = EventKind::published, .begin = begin}); }
  Story& write(Position begin, Position end) { return claim(begin, end).publish(begin); }
  Story& frame(std::uint32_t process, const Epoch& epoch, Position begin, Position end) {
    return add({.kind = EventKind::frame_delivered, .process = process, .epoch = epoch,
                .begin = begin, .end = end});
  }
  Story& say(std::uint32_t process, const Epoch& epoch, Position end, Position applied = 0) {
    return add({.kind = EventKind::ack_sent, .process = process, .epoch = epoch, .end = end,
                .applied = applied});
  }
  Story& tell(std::uint32_t process, const Epoch& epoch, Position end, Position applied = 0) {
    return add({.kind = EventKind::ack_delivered, .process = process, .epoch = epoch, .end = end,
                .applied = applied});
  }
  /// A process holds nothing, or so much, and the primary knows.
  Story& resume(std::uint32_t process, const Epoch& epoch = {}, Position end = 0) {
    return claim_by(process, epoch, end).answer(process);
  }
  Story& claim_by(std::uint32_t process, const Epoch& epoch = {}, Position end = 0) {
    add({.kind = EventKind::claim_sent, .process = process, .epoch = epoch, .end = end});
    return add({.kind = EventKind::claim_delivered, .process = process, .epoch = epoch,
                .end = end});
  }
  Story& answer(std::uint32_t process) {
    return add({.kind = EventKind::claim_answered, .process = process});
  }
  /// Replica 0 is started again, empty, as process 3; the primary does not know yet.
  Story& restart() {
    add({.kind = EventKind::process_ended, .replica = 0, .process = 1});
    return add({.kind = EventKind::process_began, .replica = 0, .process = 3});
  }
  Story& apply(std::uint32_t process, Position begin, Position end) {
    return add({.kind = EventKind::applied, .process = process, .begin = begin, .end = end,
                .content = end});
  }
  Story& mark(std::uint8_t rule, Position end) {
    return add({.kind = EventKind::watermark, .rule = rule, .end = end});
  }
  Story& show(std::uint32_t process, Position received, Position exposed, Position applied) {
    return add({.kind = EventKind::shown, .process = process, .begin = exposed, .end = received,
                .applied = applied});
  }
  Story& commit(std::uint32_t process, const Epoch& epoch, Position end) {
    return add({.kind = EventKind::commit_delivered, .process = process, .epoch = epoch,
                .end = end});
  }
  Story& quiet(std::uint64_t replicas) {
    return add({.kind = EventKind::quiet, .content = replicas});
  }
  /// Process 1 receives all of the first record and the primary knows.
  Story& replicate() {
    return write(0, 64).frame(1, kFirst, 0, 64).say(1, kFirst, 64).tell(1, kFirst, 64);
  }
  Story& next_reign() {
    add({.kind = EventKind::closing}).add({.kind = EventKind::reign_ended});
    return add({.kind = EventKind::reign_began, .epoch = kSecond});
  }

  void is_fine() const { EXPECT_EQ(judge(history_), ""); }
  void breaks(std::string_view rule) const {
    const std::string text = judge(history_);
    EXPECT_TRUE(text.starts_with(rule)) << text;
    // What breaks a rule here is always what was told last.
    const std::string last = "(event " + std::to_string(history_.events.size()) + ")";
    EXPECT_NE(text.find(last), std::string::npos) << text << ", not " << last;
  }

 private:
  History history_;
};

}  // namespace quorate::simulation
