#pragma once

#include "quorate/error.h"

namespace quorate::bench {

/// What iperf3 carries over one loopback stream (`-C cubic -l 256K`). Its server is started on a
/// free port and stopped here. The error says that it is not installed, or what failed.
Result<double> iperf3_mib_per_s(double seconds);

}  // namespace quorate::bench
