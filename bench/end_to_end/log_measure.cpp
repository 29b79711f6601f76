#include <algorithm>
#include <iterator>
#include <utility>

#include "bench/end_to_end/log_rounds.h"
#include "bench/end_to_end/log_rows.h"
#include "bench/end_to_end/scratch.h"

namespace quorate::bench {
namespace {

constexpr std::uint64_t kGiB = 1ull << 30;
/// Three nodes, each as much as its log may keep, and segments that were made ahead.
constexpr std::uint64_t kStreamRows_bytes = 4 * kGiB;
/// What is written before, while and after a replica catches up.
constexpr std::uint64_t kLiveLoad_bytes = 14 * kGiB;

/// One group of rows: the rounds of one alternation, again and again.
class LogGroupRun {
 public:
  LogGroupRun(const std::vector<std::string>& rows, const LogPlan& plan, LogRounds& rounds)
      : plan_(plan), rounds_(rounds) {
    for (const std::string& name : rows) {
      LogMeasurement row;
      row.name = name;
      rows_.push_back(std::move(row));
    }
  }

  std::vector<LogMeasurement> run() {
    for (repeat_ = 0; repeat_ < plan_.repeats; ++repeat_) {
      rounds_.begin_alternation();
      // Every other time backwards, so that drift favours nobody.
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        run_row(rows_[repeat_ % 2 == 0 ? i : rows_.size() - 1 - i]);
      }
    }
    return std::move(rows_);
  }

 private:
  void run_row(LogMeasurement& row) {
    if (!row.error.empty()) return;
    if (plan_.progress) {
      plan_.progress(row.name + ' ' + std::to_string(repeat_ + 1) + '/' +
                     std::to_string(plan_.repeats));
    }
    auto figures = rounds_.measure(row.name, row.backend);
    if (figures) {
      row.rounds.push_back(std::move(*figures));
    } else {
      row.error = figures.error().text;
    }
  }

  const LogPlan& plan_;
  LogRounds& rounds_;
  std::vector<LogMeasurement> rows_;
  std::uint32_t repeat_ = 0;
};

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::vector<double> LogMeasurement::each(const std::string& figure) const {
  std::vector<double> values;
  for (const Figures& round : rounds) {
    if (const auto found = round.find(figure); found != round.end()) {
      values.push_back(found->second);
    }
  }
  return values;
}

std::vector<std::vector<std::string>> log_groups() {
  return {{"sync_durable_64", "sync_durable_1024", "sync_received_1024_log"},
          {"sync_durable_64_one"},
          {"recovery_4g"},
          {"catch_up"}};
}

std::vector<std::string> log_row_names() {
  std::vector<std::string> names;
  for (std::vector<std::string>& group : log_groups()) {
    std::move(group.begin(), group.end(), std::back_inserter(names));
  }
  return names;
}

std::uint64_t log_bytes_needed(const std::vector<std::string>& rows, const LogPlan& plan) {
  std::uint64_t bytes = rows.empty() ? 0 : kStreamRows_bytes;
  if (has(rows, "recovery_4g")) bytes = std::max(bytes, (plan.recovery_mib << 20) + kGiB);
  if (has(rows, "catch_up")) {
    bytes = std::max(bytes, 3 * (plan.catch_up_mib << 20) + kLiveLoad_bytes);
  }
  return bytes;
}

Result<std::vector<LogMeasurement>> measure_log_group(const std::vector<std::string>& rows,
                                                      const LogPlan& plan) {
  auto scratch = Scratch::make(plan.directory);
  if (!scratch) return scratch.error();
  LogRounds rounds(plan, *scratch);
  return LogGroupRun(rows, plan, rounds).run();
}

}  // namespace quorate::bench
