#pragma once

// Frames for a log: what one of them holds is a function of its epoch and position, so that a frame
// that comes back from elsewhere is told from the one that belongs there.

#include <cstddef>
#include <span>
#include <vector>

#include "log/segment_scan.h"
#include "wire/frame.h"

namespace quorate::log {

struct LogFrame {
  wire::FrameHeader header;
  std::vector<std::byte> bytes;  ///< header, prefix, records

  /// As the engine has them: apart.
  [[nodiscard]] std::vector<std::span<const std::byte>> pieces() const;
};

/// The frame that follows `end`. `records_bytes`: a multiple of 8.
LogFrame make_frame(const LogEnd& end, const Epoch& epoch, std::size_t records_bytes,
                    StreamId stream = 0);
/// The same with these records, which are so many.
LogFrame frame_of(const LogEnd& end, const Epoch& epoch, std::span<const std::byte> records,
                  std::uint32_t count, StreamId stream = 0);
/// Where a frame leaves a log that it was appended to.
LogEnd end_after(const LogFrame& frame, std::uint32_t unit_crc = 0);

/// Keeps copies of what it is told.
class FrameCollector final : public FrameVisitor {
 public:
  void on_frame(const wire::FrameHeader& header, std::span<const std::byte> frame) override {
    frames.push_back({header, {frame.begin(), frame.end()}});
  }
  void on_unit(const UnitHeader& header) override { units.push_back(header); }

  std::vector<LogFrame> frames;
  std::vector<UnitHeader> units;
};

}  // namespace quorate::log
