#include "bench/end_to_end/roles.h"

#include <fmt/format.h>

#include <vector>

#include "bench/end_to_end/placement.h"

namespace quorate::bench {

/// The role's name is the internal subcommand; every field of the spec follows.
std::vector<std::string> role_arguments(Role role, const RoundSpec& spec,
                                        const std::string& address, std::uint32_t index) {
  std::vector<std::string> arguments = {
      "internal-role",
      fmt::format("--role={}", static_cast<int>(role)),
      fmt::format("--work={}", static_cast<int>(spec.work)),
      fmt::format("--peers={}", spec.peers),
      fmt::format("--payload={}", spec.payload_bytes),
      fmt::format("--ring={}", spec.ring_bytes),
      fmt::format("--role-seconds={}", spec.seconds),
      fmt::format("--index={}", index),
  };
  if (!spec.pin) arguments.emplace_back("--no-pin");
  if (!spec.sync) arguments.emplace_back("--semi");
  if (spec.epoll) arguments.emplace_back("--epoll");
  if (spec.stop_second) arguments.emplace_back("--stop-second");
  if (spec.durable) arguments.emplace_back("--durable");
  if (spec.log_mib > 0) arguments.push_back(fmt::format("--log-mib={}", spec.log_mib));
  if (spec.live_records_per_s > 0) {
    arguments.push_back(fmt::format("--live-records={}", spec.live_records_per_s));
  }
  if (!spec.directory.empty()) arguments.push_back("--role-directory=" + spec.directory);
  if (!address.empty()) arguments.push_back("--address=" + address);
  return arguments;
}

CLI::App* add_role(CLI::App& app, RoleArguments& role) {
  CLI::App* command = app.add_subcommand("internal-role")->group("");
  command->add_option("--role", role.role)->check(CLI::Range(0, 8));
  command->add_option("--work", role.work)->check(CLI::Range(0, 2));
  command->add_option("--peers", role.spec.peers);
  command->add_option("--payload", role.spec.payload_bytes);
  command->add_option("--ring", role.spec.ring_bytes);
  command->add_option("--role-seconds", role.spec.seconds);
  command->add_option("--index", role.index);
  command->add_option("--address", role.address);
  command->add_flag("--semi", role.semi);
  command->add_flag("--no-pin", role.no_pin);
  command->add_flag("--epoll", role.spec.epoll);
  command->add_flag("--stop-second", role.spec.stop_second);
  command->add_flag("--durable", role.spec.durable);
  command->add_option("--log-mib", role.spec.log_mib);
  command->add_option("--live-records", role.spec.live_records_per_s);
  command->add_option("--role-directory", role.spec.directory);
  return command;
}

int play(RoleArguments& role) {
  role.spec.work = static_cast<RoundSpec::Work>(role.work);
  role.spec.sync = !role.semi;
  role.spec.pin = !role.no_pin;
  const auto kind = static_cast<Role>(role.role);
  const bool leads = kind != Role::replica && kind != Role::receiver;
  if (role.spec.pinned()) pin_this_thread(leads ? Core::lead : Core::peers);
  switch (kind) {
    case Role::primary:
      return run_primary(role.spec);
    case Role::replica:
      return run_replica(role.spec, role.address, role.index);
    case Role::sender:
      return run_sender(role.spec);
    case Role::receiver:
      return run_receiver(role.spec, role.address);
    case Role::disk_writer:
      return run_disk_writer(role.spec, role.index);
    case Role::disk_reader:
      return run_disk_reader(role.spec);
    case Role::log_filler:
      return run_log_filler(role.spec);
    case Role::log_opener:
      return run_log_opener(role.spec);
    case Role::catch_up:
      return run_catch_up(role.spec);
  }
  return 2;
}

}  // namespace quorate::bench
