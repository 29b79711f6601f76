#pragma once

// For tests: right histories with one thing spoilt, and what the model must say about them. A
// history in which there is nothing of the kind to spoil is passed over.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/model/right_history.h"
#include "tests/simulation/model/violation.h"

namespace quorate::simulation {

class Spoiling {
 public:
  explicit Spoiling(std::uint64_t seed) : history(right_history(seed)), random_(seed) {}

  [[nodiscard]] HistoryEvent& at(std::size_t index) { return history.events[index]; }
  [[nodiscard]] std::size_t size() const { return history.events.size(); }

  /// One of the events of that kind for which `fits` is true, all equally likely.
  std::optional<std::size_t> pick(
      EventKind kind, const std::function<bool(std::size_t)>& fits = [](std::size_t) {
        return true;
      }) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < size(); ++i) {
      if (at(i).kind == kind && fits(i)) found.push_back(i);
    }
    if (found.empty()) return std::nullopt;
    return found[random_() % found.size()];
  }

  /// The next thing the same process does or is given in the same stream; size() when nothing.
  [[nodiscard]] std::size_t next_of_copy(std::size_t index) {
    for (std::size_t i = index + 1; i < size(); ++i) {
      const HistoryEvent& event = at(i);
      if (event.kind == EventKind::process_ended && event.process == at(index).process) break;
      if (event.kind < EventKind::frame_delivered || event.kind > EventKind::shown) continue;
      if (event.kind >= EventKind::claim_delivered && event.kind <= EventKind::claim_answered) {
        continue;
      }
      if (event.kind == EventKind::ack_delivered || event.kind == EventKind::commit_sent) continue;
      if (event.process == at(index).process && event.stream == at(index).stream &&
          event.kind != EventKind::commit_delivered && event.kind != EventKind::session_ended) {
        return i;
      }
    }
    return size();
  }
  /// The first event of that kind from `index` on; size() when there is none.
  [[nodiscard]] std::size_t next_of_kind(std::size_t index, EventKind kind) {
    while (index < size() && at(index).kind != kind) ++index;
    return index;
  }

  void insert(std::size_t index, const HistoryEvent& event) {
    const HistoryEvent copy = event;
    history.events.insert(history.events.begin() + static_cast<std::ptrdiff_t>(index), copy);
  }
  void erase(std::size_t index) {
    history.events.erase(history.events.begin() + static_cast<std::ptrdiff_t>(index));
  }
  void erase_kinds(std::initializer_list<EventKind> kinds) {
    std::erase_if(history.events, [&](const HistoryEvent& event) {
      return std::find(kinds.begin(), kinds.end(), event.kind) != kinds.end();
    });
  }
  /// Moves an event to before the news from a replica that brought it about. False when it was
  /// something else that did.
  bool move_before_cause(std::size_t index) {
    std::size_t cause = index;
    while (cause > 0 && (at(cause).kind == EventKind::watermark ||
                         at(cause).kind == EventKind::committed ||
                         at(cause).kind == EventKind::resolved)) {
      --cause;
    }
    if (at(cause).kind == EventKind::claim_answered) --cause;
    const EventKind news = at(cause).kind;
    if (news != EventKind::ack_delivered && news != EventKind::claim_delivered) return false;
    const HistoryEvent event = at(index);
    erase(index);
    insert(cause, event);
    return true;
  }

  History history;

 private:
  std::mt19937_64 random_;
};

/// `spoil` returns false when the history has nothing to spoil.
inline void expect_rejected(std::string_view rule, std::string_view words,
                            const std::function<bool(Spoiling&)>& spoil) {
  std::size_t spoilt = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    Spoiling spoiling(seed);
    if (!spoil(spoiling)) continue;
    ++spoilt;
    const std::string text = judge(spoiling.history);
    ASSERT_TRUE(text.starts_with(std::string(rule) + ": ")) << "seed " << seed << ": " << text;
    ASSERT_NE(text.find(words), std::string::npos) << "seed " << seed << ": " << text;
  }
  EXPECT_GE(spoilt, 20u) << "too few histories to spoil";
}

/// Spoils one event of a kind in place.
inline void expect_change_rejected(std::string_view rule, std::string_view words, EventKind kind,
                                   const std::function<bool(const HistoryEvent&)>& fits,
                                   const std::function<void(HistoryEvent&)>& change) {
  expect_rejected(rule, words, [&](Spoiling& spoiling) {
    const auto index =
        spoiling.pick(kind, [&](std::size_t i) { return fits(spoiling.at(i)); });
    if (index) change(spoiling.at(*index));
    return index.has_value();
  });
}

/// Puts a changed copy of one event right behind it.
inline void expect_echo_rejected(std::string_view rule, std::string_view words, EventKind kind,
                                 const std::function<bool(const HistoryEvent&)>& fits,
                                 const std::function<void(HistoryEvent&)>& change) {
  expect_rejected(rule, words, [&](Spoiling& spoiling) {
    const auto index =
        spoiling.pick(kind, [&](std::size_t i) { return fits(spoiling.at(i)); });
    if (!index) return false;
    HistoryEvent echo = spoiling.at(*index);
    change(echo);
    spoiling.insert(*index + 1, echo);
    return true;
  });
}

inline bool any_event(const HistoryEvent&) { return true; }
inline bool holds_something(const HistoryEvent& event) { return event.end > 0; }
inline void unchanged(HistoryEvent&) {}

}  // namespace quorate::simulation
