#include "commands.h"

#include <algorithm>
#include <bit>
#include <map>
#include <sstream>
#include <string_view>

namespace quorate::scenarios {

namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream input(text);
  for (std::string part; std::getline(input, part, separator);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

Words words_of(const std::string& line) {
  Words words;
  for (const std::string& part : split(line, ' ')) {
    const std::size_t equals = part.find('=');
    if (words.name.empty()) {
      words.name = part;
    } else if (equals == std::string::npos) {
      words.arguments.push_back(part);
    } else {
      words.options.emplace_back(part.substr(0, equals), part.substr(equals + 1));
    }
  }
  return words;
}

std::uint64_t number_of(const std::string& text) {
  return text.empty() ? 0 : std::strtoull(text.c_str(), nullptr, 10);
}

Rule::Kind kind_of(const std::string& name) {
  if (name == "async") return Rule::Kind::async;
  if (name == "copies") return Rule::Kind::copies;
  return name == "sync" || name == "all" ? Rule::Kind::all : Rule::Kind::any;
}

Level level_of(const std::string& name) {
  if (name == "applied") return Level::applied;
  return name == "durable" ? Level::durable : Level::received;
}

/// `sync`, `semi_sync:1`, `any:1:b+c`, `all:b+c`, `copies:2`, each with or without `@applied`.
Rule rule_of(const std::string& text) {
  const std::vector<std::string> halves = split(text, '@');
  if (halves.empty()) return Rule{};
  const std::vector<std::string> parts = split(halves[0], ':');
  Rule rule;
  rule.level = level_of(halves.size() > 1 ? halves[1] : "");
  rule.kind = kind_of(parts.empty() ? "" : parts[0]);
  const bool counted = rule.kind == Rule::Kind::any || rule.kind == Rule::Kind::copies;
  if (counted && parts.size() > 1) rule.count = static_cast<std::uint32_t>(number_of(parts[1]));
  const std::size_t names = counted ? 2 : 1;
  if (parts.size() > names) rule.names = split(parts[names], '+');
  return rule;
}

std::string range_of(const core::FrameInfo& frame) {
  return "[" + std::to_string(frame.begin) + ", " + std::to_string(frame.end) + ")";
}

const char* name_of(core::Verdict verdict) {
  switch (verdict) {
    case core::Verdict::resumed: return "resumed";
    case core::Verdict::from_start: return "from_start";
    case core::Verdict::needs_full_copy: return "needs_full_copy";
    case core::Verdict::catch_up: return "catch_up";
    case core::Verdict::truncate: return "truncate";
    case core::Verdict::snapshot: return "snapshot";
  }
  return "?";
}

}  // namespace

std::string Words::option(const std::string& key, const std::string& otherwise) const {
  for (const auto& [known, value] : options) {
    if (known == key) return value;
  }
  return otherwise;
}

Commands::OfPrimary Commands::find_of_primary(const std::string& name) {
  static const std::map<std::string_view, OfPrimary> known = {
      {"primary", &Commands::begin},   {"new_primary", &Commands::new_primary},
      {"rule", &Commands::rule},       {"append", &Commands::append},
      {"seal", &Commands::seal},       {"write", &Commands::write},
      {"tick", &Commands::tick},       {"status", &Commands::status},
  };
  const auto found = known.find(name);
  return found == known.end() ? nullptr : found->second;
}

Commands::OfReplica Commands::find_of_replica(const std::string& name) {
  static const std::map<std::string_view, OfReplica> known = {
      {"connect", &Commands::connect}, {"disconnect", &Commands::disconnect},
      {"restart", &Commands::restart}, {"start", &Commands::start},
      {"finish", &Commands::finish},   {"send", &Commands::send},
      {"cut", &Commands::cut},         {"drain", &Commands::drain},
      {"lose", &Commands::lose},       {"deliver", &Commands::deliver},
      {"forge", &Commands::forge},     {"flow", &Commands::flow},
      {"commit", &Commands::commit},   {"apply", &Commands::apply},
      {"emit", &Commands::emit},       {"count", &Commands::count},
      {"ack", &Commands::ack},
  };
  const auto found = known.find(name);
  return found == known.end() ? nullptr : found->second;
}

void Commands::run(const std::string& line, std::ostream& out) {
  const Words words = words_of(line);
  if (world_ == nullptr && words.name != "primary") {
    out << "error: a scenario begins with `primary`\n";
    return;
  }
  if (world_ != nullptr) world_->effects.clear();
  if (const OfPrimary of_primary = find_of_primary(words.name)) {
    (this->*of_primary)(words, out);
  } else if (const OfReplica of_replica = find_of_replica(words.name)) {
    const std::uint32_t i = world_->find(words.argument(0));
    if (i == world_->settings().replicas.size()) {
      out << "error: no replica \"" << words.argument(0) << "\"\n";
      return;
    }
    (this->*of_replica)(i, words, out);
  } else {
    out << "error: no command \"" << words.name << "\"\n";
    return;
  }
  world_->turn();
  write_effects(out);
}

void Commands::write_effects(std::ostream& out) {
  const core::PrimaryEffects& effects = world_->effects;
  const auto each = [&](std::uint64_t bits, const char* what) {
    for (; bits != 0; bits &= bits - 1) {
      const auto i = static_cast<std::uint32_t>(std::countr_zero(bits));
      out << "  " << world_->replica(i).name << ' ' << what << '\n';
    }
  };
  for (const RegisteredRule& rule : world_->rules()) {
    if ((effects.rules_advanced >> rule.index & 1) == 0) continue;
    out << "  " << rule.text << " released " << world_->primary().watermark(rule.index) << '\n';
  }
  if (effects.committed_advanced) out << "  committed " << world_->primary().committed() << '\n';
  each(effects.dropped, "made no progress: it holds writers no longer");
  each(effects.park, "is behind: its send in flight is to be cut");
  each(effects.lost, "needs a full copy: the ring went on without it");
}

// The primary.

void Commands::begin(const Words& words, std::ostream& out) {
  Settings settings;
  settings.replicas = split(words.option("replicas", "b,c"), ',');
  settings.protected_copies = static_cast<std::uint32_t>(number_of(words.option("protected", "0")));
  settings.floor_copies = static_cast<std::uint32_t>(number_of(words.option("floor", "1")));
  settings.lag = words.option("lag", "hold") == "drop" ? LagPolicy::Kind::drop
                                                       : LagPolicy::Kind::hold;
  settings.stall_ns = static_cast<std::int64_t>(number_of(words.option("stall", "2000"))) *
                      kMillisecond_ns;
  settings.ring_bytes = number_of(words.option("ring", "1000"));
  settings.replica_ring_bytes = number_of(words.option("replica_ring", "1000"));
  world_ = std::make_unique<World>(settings);
  for (const std::string& text : split(words.option("rules", ""), ',')) add_rule(text, out);
}

void Commands::new_primary(const Words& words, std::ostream& out) {
  world_->begin_epoch();
  out << "epoch " << world_->primary().epoch().number << '\n';
  for (const std::string& text : split(words.option("rules", ""), ',')) add_rule(text, out);
}

void Commands::add_rule(const std::string& text, std::ostream& out) {
  const auto added = world_->add_rule(text, rule_of(text));
  if (!added) out << "refused: " << added.error().text << '\n';
}

void Commands::rule(const Words& words, std::ostream& out) { add_rule(words.argument(0), out); }

void Commands::append(const Words& words, std::ostream& out) {
  const bool appended = world_->append(number_of(words.argument(0)));
  if (!appended) out << "busy: the ring is full\n";
}

void Commands::seal(const Words&, std::ostream& out) {
  const core::FrameInfo* frame = world_->seal();
  out << (frame != nullptr ? "frame " + range_of(*frame) : "nothing to seal") << '\n';
}

/// `write BYTES [xTIMES]`: appends and seals, a frame each time.
void Commands::write(const Words& words, std::ostream& out) {
  const std::string times = words.argument(1);
  const std::uint64_t count = times.empty() ? 1 : number_of(times.substr(1));
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!world_->append(number_of(words.argument(0)))) {
      out << "busy: the ring is full\n";
      return;
    }
    seal(words, out);
    world_->turn();
  }
}

void Commands::tick(const Words& words, std::ostream& out) {
  world_->now += static_cast<Instant>(number_of(words.argument(0))) * kMillisecond_ns;
  out << "time " << milliseconds(world_->now) << '\n';
}

void Commands::status(const Words&, std::ostream& out) { write_status(*world_, out); }

// Sessions.

/// `connect NAME [position=N] [epoch=N] [checksum=N]`: the options forge the claim.
void Commands::connect(std::uint32_t i, const Words& words, std::ostream& out) {
  core::ReplicaMachine& machine = *world_->replica(i).machine;
  if (!world_->replica(i).connected) machine.on_session(world_->primary().epoch());
  core::ResumeClaim claim = machine.claim();
  claim.position = number_of(words.option("position", std::to_string(claim.position)));
  claim.epoch.number = number_of(words.option("epoch", std::to_string(claim.epoch.number)));
  claim.checksum = static_cast<std::uint32_t>(
      number_of(words.option("checksum", std::to_string(claim.checksum))));
  const core::ResumeVerdict verdict = world_->connect(i, claim);
  out << words.argument(0) << " claims " << claim.position << ": " << name_of(verdict.verdict)
      << ' ' << verdict.position << '\n';
  if (!machine.on_verdict(verdict)) out << "the replica refuses the verdict\n";
}

void Commands::disconnect(std::uint32_t i, const Words&, std::ostream&) { world_->disconnect(i); }

void Commands::restart(std::uint32_t i, const Words&, std::ostream& out) {
  world_->restart(i);
  out << world_->replica(i).name << " is empty, incarnation "
      << world_->replica(i).machine->config().incarnation << '\n';
}

}  // namespace quorate::scenarios
