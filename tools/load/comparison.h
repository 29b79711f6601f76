#pragma once

// The end of a verified run: the primary's digest of each stream is appended as that stream's last
// record. A replica that applies it compares it with its own and says so in a line; of replicas
// started here those lines are read and compared once more, word for word.

#include <string>
#include <unordered_set>
#include <vector>

#include "quorate/error.h"
#include "quorate/primary.h"
#include "tools/load/cluster.h"
#include "tools/load/feed.h"
#include "tools/load/report.h"

namespace quorate::tools {

class Comparison {
 public:
  /// `cluster` is null when the replicas were started elsewhere.
  Comparison(Primary& primary, const LoadPlan& plan, const Cluster* cluster);

  /// One writer's part of its streams.
  void add(const std::vector<Lane>& lanes);
  /// Appends the digests.
  Status send(double limit_s);
  /// Nothing more is to be expected of any replica; `states` by replica.
  [[nodiscard]] bool complete(const std::vector<ReplicaStatus::State>& states) const;
  /// Fills in the verdicts.
  void judge(std::vector<ReplicaResult>& replicas) const;

 private:
  [[nodiscard]] Verdict verdict(std::size_t replica, ReplicaStatus::State state) const;
  [[nodiscard]] Verdict own_verdict(const Cluster::Member& member,
                                    ReplicaStatus::State state) const;
  [[nodiscard]] Verdict foreign_verdict(std::size_t replica, ReplicaStatus::State state) const;

  Primary& primary_;
  const Cluster* cluster_;
  std::vector<StreamDigest> digests_;         ///< by stream
  std::vector<Position> ends_;                ///< of the digest records, by stream
  std::unordered_set<std::string> expected_;  ///< lines
};

}  // namespace quorate::tools
