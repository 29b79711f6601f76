#include "bench/end_to_end/rows.h"

#include <algorithm>
#include <cstdint>

namespace quorate::bench {
namespace {

Row stream_row(std::uint32_t payload_bytes) {
  Row row;
  row.base = row.group = "sync_received_" + std::to_string(payload_bytes);
  row.spec.payload_bytes = payload_bytes;
  return row;
}

Row one_row(const char* base, RoundSpec::Work work) {
  Row row;
  row.base = base;
  row.group = "sync_received_64_one";
  row.spec.work = work;
  return row;
}

Row semi_row(const char* base, bool stopped) {
  Row row;
  row.base = base;
  row.group = "semi_64";
  row.spec.sync = false;
  row.spec.peers = stopped ? 2 : 1;
  row.spec.stop_second = stopped;
  return row;
}

}  // namespace

std::vector<Row> all_rows() {
  const std::vector<Row> bases = {
      stream_row(16),
      stream_row(64),
      stream_row(1024),
      one_row("sync_received_64_one", RoundSpec::Work::one),
      one_row("sync_received_64_one_threads", RoundSpec::Work::one_threads),
      semi_row("semi_absent_64", false),
      semi_row("semi_stopped_64", true),
  };
  std::vector<Row> rows;
  for (Row row : bases) {
    row.name = row.base;
    rows.push_back(row);
    row.name += "_epoll";
    row.spec.epoll = true;
    rows.push_back(row);
  }
  return rows;
}

std::vector<Row> choose_rows(const std::vector<std::string>& names, std::string& unknown) {
  std::vector<Row> rows = all_rows();
  for (const std::string& name : names) {
    const bool known =
        std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
    if (!known) unknown += (unknown.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return rows;
  std::erase_if(rows, [&](const Row& row) {
    return std::find(names.begin(), names.end(), row.name) == names.end();
  });
  return rows;
}

RoundSpec roofline_spec(const RoundSpec& row) {
  RoundSpec spec = row;
  spec.stop_second = false;
  if (row.stop_second) spec.peers = 1;
  return spec;
}

}  // namespace quorate::bench
