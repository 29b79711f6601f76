#pragma once

// How a replica keeps a snapshot in its stream's directory: by the offer's id, so that a crash
// never mixes two of them.
//   snapshot-<id>.head  what it is: one block, durable before the first byte of the file
//   snapshot-<id>.part  the beginning of the file, as far as it came
//   snapshot-<id>.data  the whole file, whose checksum was found to be right

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/snapshot_machine.h"
#include "log/blocking_files.h"
#include "log/format.h"

namespace quorate::shard {

enum class SnapshotFile : std::uint8_t { head, part, data };

std::string snapshot_name(std::uint64_t id, SnapshotFile file);
/// The id in such a name; 0: it is another one.
std::uint64_t snapshot_id(std::string_view name) noexcept;

void encode_snapshot_head(const core::SnapshotHead& head, log::Block out) noexcept;
bool decode_snapshot_head(log::ConstBlock block, core::SnapshotHead& head) noexcept;

/// What an earlier life left.
struct FoundSnapshots {
  /// Whole, and the log reaches back to it: for a program that has not got as far.
  std::optional<core::SnapshotHead> base;
  /// To be gone on with if the primary still offers it.
  std::optional<core::HeldSnapshot> held;
};

/// Of the stream whose log holds what follows `first`, up to `end`. Removes what is of no use.
Result<FoundSnapshots> find_snapshots(log::BlockingFiles& files, const std::string& directory,
                                      StreamId stream, Position first, Position end);

}  // namespace quorate::shard
