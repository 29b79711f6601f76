#include "tools/load/comparison.h"

#include <chrono>
#include <span>

#include "tools/load/content.h"
#include "tools/process/process.h"

namespace quorate::tools {

namespace {

using State = ReplicaStatus::State;

}  // namespace

Comparison::Comparison(Primary& primary, const LoadPlan& plan, const Cluster* cluster)
    : primary_(primary),
      cluster_(cluster),
      digests_(plan.options.streams),
      ends_(plan.options.streams) {}

void Comparison::add(const std::vector<Lane>& lanes) {
  for (const Lane& lane : lanes) digests_[lane.stream.id()].merge(lane.digest);
}

Status Comparison::send(double limit_s) {
  for (StreamId id = 0; id < digests_.size(); ++id) {
    const DigestRecord record{{0, id, 0, StampKind::digest}, digests_[id]};
    const auto payload = std::as_bytes(std::span(&record, 1));
    Stream stream = primary_.stream(id);
    auto ticket = stream.append(payload);
    const auto waits = [](Errc code) { return code == Errc::busy || code == Errc::log_full; };
    while (!ticket && waits(ticket.error().code) && now_s() < limit_s) {
      stream.wait_space(payload.size(), std::chrono::milliseconds(50));
      ticket = stream.append(payload);
    }
    if (!ticket) return Error(ticket.error().code, "final digest: " + ticket.error().text);
    ends_[id] = ticket->end;
    expected_.insert(digest_line(id, ticket->end, digests_[id], true));
  }
  return Done{};
}

bool Comparison::complete(const std::vector<State>& states) const {
  for (std::size_t i = 0; i < states.size(); ++i) {
    const Verdict now = verdict(i, states[i]);
    if (now == Verdict::late) return false;
    // Started here and alive: it may be about to connect again.
    if (now == Verdict::gone && cluster_ != nullptr && cluster_->members()[i].running()) {
      return false;
    }
  }
  return true;
}

void Comparison::judge(std::vector<ReplicaResult>& replicas) const {
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    replicas[i].verdict = verdict(i, replicas[i].state);
  }
}

Verdict Comparison::verdict(std::size_t replica, State state) const {
  if (cluster_ != nullptr) return own_verdict(cluster_->members()[replica], state);
  return foreign_verdict(replica, state);
}

Verdict Comparison::own_verdict(const Cluster::Member& member, State state) const {
  for (const std::string& line : member.digests) {
    if (!expected_.contains(line)) return Verdict::different;
  }
  if (member.needs_full_copy || state == State::needs_full_copy) return Verdict::needs_full_copy;
  if (!member.running()) return Verdict::gone;
  if (member.digests.size() == expected_.size()) return Verdict::equal;
  return state == State::absent ? Verdict::gone : Verdict::late;
}

Verdict Comparison::foreign_verdict(std::size_t replica, State state) const {
  if (state == State::needs_full_copy) return Verdict::needs_full_copy;
  if (state == State::absent) return Verdict::gone;
  for (StreamId id = 0; id < ends_.size(); ++id) {
    if (primary_.stream(id).status().replicas[replica].applied < ends_[id]) return Verdict::late;
  }
  return Verdict::told;
}

}  // namespace quorate::tools
