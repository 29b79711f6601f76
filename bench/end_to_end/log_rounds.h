#pragma once

// Runs the rounds of the log's rows and of their limits. A limit is measured at most once in an
// alternation, by the first row that asks for it.

#include <optional>
#include <string>

#include "bench/end_to_end/log_rows.h"
#include "bench/end_to_end/round.h"
#include "bench/end_to_end/scratch.h"
#include "quorate/error.h"
#include "tools/process/line.h"

namespace quorate::bench {

/// The role's result line: it has figures that no other role has.
Result<tools::Line> run_catch_up_round(const RoundSpec& spec);

class LogRounds {
 public:
  LogRounds(const LogPlan& plan, Scratch& scratch) : plan_(plan), scratch_(scratch) {}

  void begin_alternation();
  /// One round of that row, with its limits. `backend` is told of.
  Result<Figures> measure(const std::string& row, std::string& backend);

 private:
  Result<Figures> stream(std::uint32_t payload_bytes, bool durable, std::string& backend);
  Result<Figures> received_with_log(std::string& backend);
  Result<Figures> one(std::string& backend);
  Result<Figures> recovery(std::string& backend);
  Result<Figures> catch_up(std::string& backend);

  [[nodiscard]] RoundSpec spec(std::uint32_t payload_bytes) const;
  /// In a directory of its own, which is removed afterwards.
  Result<RoundResult> with_logs(RoundSpec round);
  Result<double> disk_mib_per_s();  ///< of three writers together
  Result<RoundResult> disk_round(RoundSpec round, std::uint32_t writers);
  Result<double> received_mib_per_s();
  Status fill_log();

  const LogPlan& plan_;
  Scratch& scratch_;
  std::optional<double> disk_mib_per_s_;
  std::optional<double> received_mib_per_s_;
  std::string filled_;  ///< the directory of the log that is recovered; "": not written yet
};

}  // namespace quorate::bench
