#pragma once

// What a replica does with the records it applies when it is to be compared with its primary: a
// digest of each stream, a look at the order of each writer's records, and, when the load's last
// record of a stream arrives, the comparison.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "quorate/types.h"
#include "tools/load/content.h"
#include "tools/load/digest.h"

namespace quorate::tools {

class ContentCheck {
 public:
  /// `stamped`: records come from `quorate load`, so stamps and the final digest mean something.
  explicit ContentCheck(bool stamped) : stamped_(stamped) {}

  /// True when this was the load's digest of the stream: line() says how ours compares. A record
  /// that was delivered before is not counted again.
  bool on_record(const Record& record);

  /// From here on it is as if the records that make up that digest had come.
  void begin_with(StreamId stream, const StreamDigest& digest, Position end);

  [[nodiscard]] const std::string& line() const { return line_; }
  /// No comparison has failed so far.
  [[nodiscard]] bool equal() const { return equal_; }
  /// The first record found out of its writer's order, in words; "" when there is none.
  [[nodiscard]] const std::string& disorder() const { return disorder_; }

  struct StreamState {
    StreamDigest digest;
    Position end = 0;
    std::vector<std::pair<std::uint16_t, std::uint64_t>> next_index;  ///< by writer
  };
  [[nodiscard]] const std::vector<StreamState>& streams() const { return streams_; }

 private:
  void check_order(StreamState& stream, const Stamp& stamp);
  void compare(const StreamState& stream, const Record& record);

  bool stamped_;
  bool equal_ = true;
  std::string line_;
  std::string disorder_;
  std::vector<StreamState> streams_;
};

}  // namespace quorate::tools
