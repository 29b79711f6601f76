#pragma once

// One run of the load in one mode: opens the primary, has its replicas, lets the writers write,
// watches, compares and closes.

#include <atomic>

#include "quorate/error.h"
#include "tools/load/options.h"
#include "tools/load/report.h"

namespace quorate::tools {

/// An error means the run never began. What happened to a run that did is in the report. `logs`: as
/// for LoadPlan::directory_of.
Result<LoadReport> run_load(const LoadPlan& plan, const std::string& mode, const Rule& rule,
                            const std::string& logs);

}  // namespace quorate::tools
