#include "tests/simulation/durable/oracle.h"

#include <algorithm>
#include <utility>

namespace quorate::simulation::durable {

namespace {

std::string place(StreamId stream, Position position) {
  return "stream " + std::to_string(stream) + " at " + std::to_string(position);
}

std::string name_of(std::uint32_t node) {
  return node == kPrimaryNode ? "the primary" : "replica r" + std::to_string(node + 1);
}

}  // namespace

Oracle::Oracle(std::uint32_t streams, std::uint32_t replicas, std::vector<Rule> rules,
               std::uint32_t protected_copies)
    : rules_(std::move(rules)),
      replicas_(replicas),
      protected_copies_(protected_copies),
      streams_(streams) {
  for (History& history : streams_) {
    history.durable.assign(replicas, 0);
    history.applied.assign(replicas, 0);
    history.told_applied.assign(replicas, 0);
    history.wiped.assign(replicas, false);
  }
}

void Oracle::fail(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

const Entry* Oracle::find(const History& history, Position begin) {
  const auto at = std::lower_bound(
      history.entries.begin(), history.entries.end(), begin,
      [](const Entry& entry, Position position) { return entry.begin < position; });
  return at == history.entries.end() || at->begin != begin ? nullptr : &*at;
}

void Oracle::keep(History& history, Position end, const char* why) {
  if (end <= history.must) return;
  history.must = end;
  history.must_why = why;
}

void Oracle::note_applied(History& history, std::uint32_t replica, Position position) {
  history.applied[replica] = std::max(history.applied[replica], position);
  history.told_applied[replica] = std::max(history.told_applied[replica], position);
}

bool Oracle::on_reopened(StreamId stream, Position start) {
  History& history = streams_[stream];
  if (start < history.must) {
    fail("lost: " + place(stream, start) + " the primary goes on, but up to " +
         std::to_string(history.must) + " it was " + history.must_why);
  }
  const Position end = end_of(history);
  if (start > end) fail("invented: " + place(stream, start) + ", written " + std::to_string(end));
  while (!history.entries.empty() && history.entries.back().end > start) {
    history.entries.pop_back();
  }
  if (end_of(history) != start) fail("torn: no record ends in " + place(stream, start));
  for (Position& durable : history.durable) durable = std::min(durable, start);
  history.blind = false;
  return start < end;
}

void Oracle::on_written(const Entry& entry) { streams_[entry.stream].entries.push_back(entry); }

void Oracle::on_status(const StreamStatus& status, bool all_seen) {
  History& history = streams_[status.stream];
  history.blind = history.blind || !all_seen;
  if (status.durable > status.appended || status.appended > end_of(history)) {
    fail("status: " + place(status.stream, status.durable) + " is durable, appended " +
         std::to_string(status.appended) + ", written " + std::to_string(end_of(history)));
  }
  if (status.log_first > status.committed) {
    fail("given up: the log of the primary begins in " + place(status.stream, status.log_first) +
         ", committed is " + std::to_string(status.committed));
  }
  keep(history, status.durable, "durable on the primary");
  for (std::uint32_t i = 0; i < replicas_; ++i) {
    history.durable[i] = std::max(history.durable[i], status.replicas[i].durable);
    if (status.replicas[i].durable > status.appended) {
      fail("acknowledged: r" + std::to_string(i + 1) + " has more durable than there is");
    }
  }
  if (status.committed <= history.committed) return;
  history.committed = status.committed;
  if (status.committed > status.durable) {
    fail("committed: " + place(status.stream, status.committed) + " before the primary has it");
  }
  const auto have = static_cast<std::uint32_t>(
      std::count_if(history.durable.begin(), history.durable.end(),
                    [&](Position durable) { return durable >= status.committed; }));
  if (have + 1 < protected_copies_ && !history.blind) {
    fail("committed: " + place(status.stream, status.committed) + " with " +
         std::to_string(have + 1) + " durable copies of " + std::to_string(protected_copies_));
  }
}

std::uint32_t Oracle::copies(const std::vector<Position>& reached, const Rule& rule,
                             Position end) const {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < replicas_; ++i) {
    const std::string name = "r" + std::to_string(i + 1);
    const bool member = rule.names.empty() ||
                        std::find(rule.names.begin(), rule.names.end(), name) != rule.names.end();
    if (member && reached[i] >= end) ++count;
  }
  return count;
}

void Oracle::on_released(StreamId stream, std::uint32_t index, Position end) {
  History& history = streams_[stream];
  const Rule& rule = rules_[index];
  if (rule.level == Level::received) return;
  keep(history, end, "released durable or applied");
  std::uint32_t needed = rule.count;
  if (rule.kind == Rule::Kind::async) needed = 0;
  if (rule.kind == Rule::Kind::copies) needed = rule.count - 1;
  if (rule.kind == Rule::Kind::all) {
    needed = rule.names.empty() ? replicas_ : static_cast<std::uint32_t>(rule.names.size());
  }
  const auto& reached = rule.level == Level::durable ? history.durable : history.told_applied;
  const std::uint32_t have = copies(reached, rule, end);
  if (have >= needed || history.blind) return;
  fail("released: " + place(stream, end) + " under " + quorate::to_string(rule) + " at level " +
       std::string(quorate::to_string(rule.level)) + ", " + std::to_string(have) +
       " replicas have it of " + std::to_string(needed));
}

/// What that node's log must still have.
Position Oracle::limit_of(const History& history, std::uint32_t node) {
  if (node == kPrimaryNode) return history.must;
  return history.wiped[node] ? 0 : history.durable[node];
}

void Oracle::on_found(std::uint32_t node, const Entry& entry) {
  const History& history = streams_[entry.stream];
  const Position limit = limit_of(history, node);
  const Entry* known = find(history, entry.begin);
  if (known == nullptr) {
    if (entry.begin < limit) {
      fail("found: " + name_of(node) + " has a record nobody wrote, " +
           place(entry.stream, entry.begin));
    }
    return;
  }
  // Behind what was acknowledged a log may hold what only an earlier reign had.
  if (entry.begin >= limit && known->epoch != entry.epoch) return;
  if (known->end == entry.end && known->content == entry.content && known->epoch == entry.epoch) {
    return;
  }
  fail("found: " + name_of(node) + " has another record, " + place(entry.stream, entry.begin) +
       ", acknowledged up to " + std::to_string(limit));
}

void Oracle::on_found_whole(std::uint32_t node, StreamId stream, Position first, Position end) {
  const History& history = streams_[stream];
  const Position limit = limit_of(history, node);
  if (end < limit) {
    fail("lost: the log of " + name_of(node) + " ends in " + place(stream, end) +
         (node == kPrimaryNode ? ", up to " + std::to_string(limit) + " it was " + history.must_why
                               : ", durable was acknowledged " + std::to_string(limit)));
  }
  if (first > history.committed) {
    fail("given up: the log of " + name_of(node) + " begins in " + place(stream, first) +
         ", committed is " + std::to_string(history.committed));
  }
  if (node == kPrimaryNode) return;
  const Position applied = history.applied[node];
  if (applied < first && !snapshots_) {
    fail("given up: the log of " + name_of(node) + " begins in " + place(stream, first) +
         ", its program has applied " + std::to_string(applied));
  }
  if (applied > end && limit >= applied) {
    fail("lost: " + name_of(node) + " has applied " + place(stream, applied) +
         ", its log ends at " + std::to_string(end));
  }
}

void Oracle::on_wiped(std::uint32_t replica) {
  for (History& history : streams_) {
    history.applied[replica] = 0;
    history.wiped[replica] = true;
  }
}

void Oracle::on_installed(std::uint32_t replica, StreamId stream, Position position) {
  History& history = streams_[stream];
  if (position > history.committed || record_end_before(stream, position) != position) {
    fail("installed: r" + std::to_string(replica + 1) + " " + place(stream, position) +
         ", committed " + std::to_string(history.committed));
  }
  keep(history, position, "installed by a replica");
  note_applied(history, replica, position);
}

void Oracle::on_damaged(std::uint32_t replica) {
  for (History& history : streams_) history.durable[replica] = 0;
}

void Oracle::on_applied(std::uint32_t replica, const Entry& entry) {
  History& history = streams_[entry.stream];
  const Entry* known = find(history, entry.begin);
  if (known == nullptr || known->end != entry.end || known->content != entry.content) {
    fail("applied: r" + std::to_string(replica + 1) + " " + place(entry.stream, entry.begin) +
         (known == nullptr ? " what was never written there" : " another record"));
  }
  if (entry.end > history.committed) {
    fail("applied: r" + std::to_string(replica + 1) + " " + place(entry.stream, entry.end) +
         " before it was committed, " + std::to_string(history.committed));
  }
  keep(history, entry.end, "applied by a replica");
  note_applied(history, replica, entry.end);
}

Position Oracle::record_end_before(StreamId stream, Position position) const {
  const auto& entries = streams_[stream].entries;
  const auto at = std::upper_bound(
      entries.begin(), entries.end(), position,
      [](Position wanted, const Entry& entry) { return wanted < entry.end; });
  return at == entries.begin() ? 0 : std::prev(at)->end;
}

}  // namespace quorate::simulation::durable
