#pragma once

// The replica processes of `quorate load --cluster`: this program again, each a `quorate node` that
// checks the load's contents. Started, faulted and stopped by pid. Owned by the main thread.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quorate/error.h"
#include "tools/load/fault_plan.h"
#include "tools/load/options.h"
#include "tools/process/process.h"

namespace quorate::tools {

class Cluster {
 public:
  struct Member {
    std::string name;
    std::optional<Process> process;
    std::vector<std::string> digests;  ///< the `digest …` lines of this start
    std::optional<int> exit_code;      ///< 128 + signal when one ended it
    bool stopped = false;              ///< by SIGSTOP
    bool needs_full_copy = false;

    [[nodiscard]] bool running() const { return process.has_value() && !exit_code && !stopped; }
  };

  /// `address`: where the primary listens. `logs`: the directory that holds the members' logs, ""
  /// without.
  Cluster(const LoadPlan& plan, std::string address, std::string logs);

  Status start();
  Status inject(const Fault& fault);
  /// Waits up to that long for something to read, then notes what the members said and who ended.
  void look(double timeout_s);
  /// The primary has said goodbye: waits for all to end, and ends who does not.
  void finish(double timeout_s);

  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] const Member* find(const std::string& name) const;

 private:
  Status spawn(Member& member, bool again);
  [[nodiscard]] std::vector<std::string> arguments(const std::string& name, bool again) const;
  void note(Member& member);

  const LoadPlan& plan_;
  std::string address_;
  std::string logs_;
  std::vector<Member> members_;
};

}  // namespace quorate::tools
