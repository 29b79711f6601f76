#include "tools/load/cluster.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

namespace quorate::tools {

Cluster::Cluster(const LoadPlan& plan, std::string address, std::string logs)
    : plan_(plan), address_(std::move(address)), logs_(std::move(logs)) {
  for (const std::string& name : plan.names) members_.push_back({name, {}, {}, {}, false, false});
}

Status Cluster::start() {
  for (Member& member : members_) {
    if (Status status = spawn(member, false); !status) return status;
  }
  return Done{};
}

std::vector<std::string> Cluster::arguments(const std::string& name, bool again) const {
  const LoadOptions& options = plan_.options;
  std::vector<std::string> arguments = {
      "node",
      "--role=replica",
      "--load-sink",
      "--primary=" + address_,
      "--name=" + name,
      "--cluster=" + options.cluster_name,
      fmt::format("--ring-kib={}", options.engine.ring_kib),
      fmt::format("--loops={}", options.engine.loops),
      fmt::format("--backend={}", to_text(options.engine.backend)),
  };
  if (options.engine.diagnostics) {
    arguments.push_back(fmt::format("--diagnostics={}", to_text(*options.engine.diagnostics)));
  }
  if (!logs_.empty()) {
    arguments.push_back("--directory=" + plan_.directory_of(name, logs_));
    arguments.push_back(fmt::format("--segment-mib={}", options.storage.segment_mib));
    if (options.storage.buffered) arguments.emplace_back("--buffered");
  }
  if (!options.verify) arguments.emplace_back("--no-digest");
  // Whoever comes back says how it went on; the others only speak of trouble.
  if (!again) arguments.emplace_back("--quiet");
  return arguments;
}

Status Cluster::spawn(Member& member, bool again) {
  // Ends and reaps the one before: a log has one writer at a time.
  member.process.reset();
  auto process = Process::start_self(arguments(member.name, again));
  if (!process) return about(("replica " + member.name).c_str(), process.error());
  member = {member.name, std::move(*process), {}, {}, false, false};
  if (plan_.options.show_pids) {
    fmt::print(stderr, "pid {} {}\n", member.name, member.process->pid());
  }
  return Done{};
}

Status Cluster::inject(const Fault& fault) {
  const auto member = std::find_if(members_.begin(), members_.end(),
                                   [&](const Member& one) { return one.name == fault.name; });
  if (member == members_.end() || !member->process) return Done{};
  fmt::print(stderr, "fault: {} {}\n", to_string(fault.kind), fault.name);
  switch (fault.kind) {
    case Fault::Kind::kill:
      member->process->signal(SIGKILL);
      break;
    case Fault::Kind::restart:
      return spawn(*member, true);
    case Fault::Kind::stop:
      member->process->signal(SIGSTOP);
      member->stopped = true;
      break;
    case Fault::Kind::cont:
      member->process->signal(SIGCONT);
      member->stopped = false;
      break;
  }
  return Done{};
}

void Cluster::look(double timeout_s) {
  std::vector<pollfd> wanted;
  for (const Member& member : members_) {
    if (member.process && member.process->output_fd() >= 0) {
      wanted.push_back({member.process->output_fd(), POLLIN, 0});
    }
  }
  ::poll(wanted.data(), wanted.size(), static_cast<int>(timeout_s * 1e3) + 1);
  for (Member& member : members_) note(member);
}

void Cluster::note(Member& member) {
  if (!member.process || member.exit_code) return;
  member.exit_code = member.process->ended();
  for (const std::string& line : member.process->lines_now()) {
    if (line.starts_with("digest ")) member.digests.push_back(line);
    if (line.starts_with("needs_full_copy")) member.needs_full_copy = true;
  }
}

const Cluster::Member* Cluster::find(const std::string& name) const {
  const auto member = std::find_if(members_.begin(), members_.end(),
                                   [&](const Member& one) { return one.name == name; });
  return member == members_.end() ? nullptr : &*member;
}

void Cluster::finish(double timeout_s) {
  const double deadline_s = now_s() + timeout_s;
  const auto ended = [](const Member& member) { return !member.running(); };
  while (now_s() < deadline_s && !std::all_of(members_.begin(), members_.end(), ended)) look(0.02);
  for (Member& member : members_) {
    if (member.running()) {
      fmt::print(stderr, "replica {} did not end by itself and is killed\n", member.name);
    }
    member.process.reset();
  }
}

}  // namespace quorate::tools
