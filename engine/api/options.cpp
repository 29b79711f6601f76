#include "quorate/options.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <set>
#include <string>

#include "base/tail_ring.h"

namespace quorate {

namespace {

constexpr std::uint64_t kRingMin_bytes = 64u << 10;
constexpr std::uint64_t kReplicaRingMin_bytes = 512u << 10;
constexpr std::uint64_t kRingMax_bytes = 1u << 30;
constexpr std::uint32_t kBatchMin_bytes = 4u << 10;
constexpr std::uint32_t kBatchMax_bytes = 256u << 10;
constexpr std::size_t kNameMax_bytes = 64;
constexpr std::uint32_t kLoopsMax = 64;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::uint64_t kSegmentMin_bytes = 8u << 20;
constexpr std::uint64_t kSegmentMax_bytes = 1u << 30;
constexpr std::uint64_t kSegmentUnit_bytes = 1u << 20;
/// Nanoseconds of more do not fit in 64 bits.
constexpr std::int64_t kAgeMax_s = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;

Error wrong(const std::string& field, const std::string& found, const std::string& allowed) {
  return Error(Errc::invalid_option, field + ": found " + found + ", allowed " + allowed);
}

Status in_range(const char* field, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return Done{};
  return wrong(field, std::to_string(value), std::to_string(low) + "…" + std::to_string(high));
}

Status in_range(const char* field, std::chrono::milliseconds value, std::int64_t low,
                std::int64_t high) {
  if (value.count() >= low && value.count() <= high) return Done{};
  return wrong(field, std::to_string(value.count()) + " ms",
               std::to_string(low) + "…" + std::to_string(high) + " ms");
}

Status is_name(const char* field, const std::string& name) {
  if (!name.empty() && name.size() <= kNameMax_bytes) return Done{};
  return wrong(field, std::to_string(name.size()) + " bytes", "1…64 bytes");
}

Status is_ring(std::uint64_t bytes, std::uint64_t low) {
  if (auto range = in_range("ring_bytes", bytes, low, kRingMax_bytes); !range) return range;
  if (std::has_single_bit(bytes)) return Done{};
  return wrong("ring_bytes", std::to_string(bytes), "powers of two");
}

Status is_storage(const std::string& directory, const StorageOptions& storage,
                  std::uint64_t ring_bytes) {
  if (directory.empty()) return Done{};
  if (ring_bytes > kLoggedRingMax_bytes) {
    return wrong("ring_bytes", std::to_string(ring_bytes),
                 "with a directory at most " + std::to_string(kLoggedRingMax_bytes));
  }
  if (auto range = in_range("storage.segment_bytes", storage.segment_bytes,
                            std::max<std::uint64_t>(kSegmentMin_bytes, ring_bytes / 2),
                            kSegmentMax_bytes);
      !range) {
    return range;
  }
  // Two segments stay in any case and a third is written before the oldest goes, so that with fewer
  // than four hardly anything could be held for anybody.
  const std::uint64_t hard_min = std::max(storage.retain_bytes, 4 * storage.segment_bytes);
  if (storage.retain_bytes_hard != 0 && storage.retain_bytes_hard < hard_min) {
    return wrong("storage.retain_bytes_hard", std::to_string(storage.retain_bytes_hard),
                 "0 or at least " + std::to_string(hard_min) +
                     " (storage.retain_bytes, and four of storage.segment_bytes)");
  }
  if (storage.retain_age.count() < 0 || storage.retain_age.count() > kAgeMax_s) {
    return wrong("storage.retain_age", std::to_string(storage.retain_age.count()) + " s",
                 "0…" + std::to_string(kAgeMax_s) + " s");
  }
  if (storage.segment_bytes % kSegmentUnit_bytes == 0) return Done{};
  return wrong("storage.segment_bytes", std::to_string(storage.segment_bytes),
               "multiples of " + std::to_string(kSegmentUnit_bytes));
}

Status has_directory(const char* field, bool asked, const std::string& directory) {
  if (!asked || !directory.empty()) return Done{};
  return wrong(field, "set", "with a directory only");
}

Status are_beats(std::chrono::milliseconds heartbeat, std::chrono::milliseconds peer_timeout) {
  if (auto range = in_range("heartbeat", heartbeat, 1, 60'000); !range) return range;
  return in_range("peer_timeout", peer_timeout, 3 * heartbeat.count(), kHourMs);
}

Status are_replicas(const std::vector<std::string>& replicas, const std::string& own) {
  if (replicas.size() > kReplicasMax) {
    return wrong("replicas", std::to_string(replicas.size()) + " names", "0…64");
  }
  std::set<std::string> seen{own};
  for (const std::string& name : replicas) {
    if (auto named = is_name("replicas", name); !named) return named;
    if (!seen.insert(name).second) {
      return wrong("replicas", "\"" + name + "\" twice (the primary's own name counts)",
                   "different names");
    }
  }
  return Done{};
}

template <typename... Statuses>
Status first_failure(Statuses... statuses) {
  Status result = Done{};
  ((result.has_value() && !statuses.has_value() ? void(result = statuses) : void()), ...);
  return result;
}

Status are_sizes(const PrimaryOptions& options) {
  const std::uint64_t record_max = options.ring_bytes / 4 - kRecordHeaderBytes;
  return first_failure(
      in_range("max_record_bytes", options.max_record_bytes, 0, record_max),
      in_range("max_batch_bytes", options.max_batch_bytes, kBatchMin_bytes, kBatchMax_bytes));
}

}  // namespace

Status EngineOptions::validate() const {
  if (auto range = in_range("loops", loops, 1, kLoopsMax); !range) return range;
  if (spin.count() < 0 || spin.count() > 1'000'000) {
    return wrong("spin", std::to_string(spin.count()) + " us", "0…1000000 us");
  }
  if (congestion_control.size() >= 16) {
    return wrong("congestion_control", std::to_string(congestion_control.size()) + " bytes",
                 "0…15 bytes");
  }
  if (socket_buffer_bytes == 0) return Done{};
  return in_range("socket_buffer_bytes", socket_buffer_bytes, 4096, kRingMax_bytes);
}

Status PrimaryOptions::validate() const {
  const std::uint32_t members = static_cast<std::uint32_t>(replicas.size()) + 1;
  Status result = first_failure(
      is_storage(directory, storage, ring_bytes), is_name("cluster", cluster),
      is_name("name", name), are_replicas(replicas, name),
      in_range("streams", streams, 1, directory.empty() ? kStreamsMax : kLoggedStreamsMax),
      is_ring(ring_bytes, kRingMin_bytes), are_sizes(*this),
      in_range("protected_copies", protected_copies, 0, members),
      in_range("floor_copies", floor_copies, 1, members),
      in_range("rules", rules.size(), 0, kRulesMax),
      in_range("lag.stall_limit", lag.stall_limit, 1, kHourMs),
      in_range("lag.courtesy", lag.courtesy, 0, kHourMs), are_beats(heartbeat, peer_timeout),
      in_range("claim_deadline", claim_deadline, 1, kHourMs),
      in_range("close_timeout", close_timeout, 0, kHourMs),
      in_range("waiters_max", waiters_max, 1, 1u << 20),
      in_range("catch_ups_max", catch_ups_max, 1, 64),
      has_directory("log_is_state", log_is_state, directory));
  return result ? engine.validate() : result;
}

Status ReplicaOptions::validate() const {
  Status result = first_failure(
      is_storage(directory, storage, ring_bytes), is_name("cluster", cluster),
      is_name("name", name), is_ring(ring_bytes, kReplicaRingMin_bytes),
      in_range("streams_max", streams_max, 1, kStreamsMax), are_beats(heartbeat, peer_timeout),
      in_range("backoff_min", backoff_min, 1, kHourMs),
      in_range("backoff_max", backoff_max, backoff_min.count(), kHourMs),
      has_directory("install", static_cast<bool>(install), directory));
  return result ? engine.validate() : result;
}

}  // namespace quorate
