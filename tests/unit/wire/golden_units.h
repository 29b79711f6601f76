#pragma once

// The fixed contents of the golden files: one unit of each message type of wire version 1.

#include <cstddef>
#include <string>
#include <vector>

#include "core/message.h"
#include "quorate/status.h"
#include "wire/frame.h"

namespace quorate::wire {

struct GoldenUnit {
  std::string name;  ///< of the file, without ".hex"
  MessageType type;
  std::vector<std::byte> bytes;  ///< as this build encodes it
};
std::vector<GoldenUnit> golden_units();

// What the units say.

core::Hello golden_hello();
core::Welcome golden_welcome();
std::vector<core::ResumeClaim> golden_claims();
std::vector<core::ResumeVerdict> golden_verdicts();
std::vector<core::Acknowledgement> golden_acknowledgements();
std::vector<core::Commit> golden_commits();
std::vector<StreamStatus> golden_streams();
core::Goodbye golden_goodbye();
core::SnapshotHead golden_snapshot();
core::SnapshotRequest golden_snapshot_request();
std::vector<std::byte> golden_piece();
std::vector<StreamStatus> golden_snapshot_streams();
Envelope golden_envelope(MessageType type);
FrameHeader golden_frame();
std::vector<std::byte> golden_records();  ///< "first", padding of 20 bytes, "", "the last record"

inline constexpr std::uint64_t kGoldenSealedAt_ns = 0x0102030405060708;

}  // namespace quorate::wire
