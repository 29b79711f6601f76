#pragma once

// The commands of a scenario; README.md lists them. Each writes what happened, then what the
// machines asked for.

#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "world.h"

namespace quorate::scenarios {

/// `name first second key=value`
struct Words {
  std::string name;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> options;

  [[nodiscard]] std::string argument(std::size_t i) const {
    return i < arguments.size() ? arguments[i] : std::string();
  }
  [[nodiscard]] std::string option(const std::string& key, const std::string& otherwise) const;
};

class Commands {
 public:
  void run(const std::string& line, std::ostream& out);

 private:
  using OfPrimary = void (Commands::*)(const Words&, std::ostream&);
  using OfReplica = void (Commands::*)(std::uint32_t, const Words&, std::ostream&);
  static OfPrimary find_of_primary(const std::string& name);
  static OfReplica find_of_replica(const std::string& name);

  void begin(const Words& words, std::ostream& out);
  void new_primary(const Words& words, std::ostream& out);
  void rule(const Words& words, std::ostream& out);
  void append(const Words& words, std::ostream& out);
  void seal(const Words& words, std::ostream& out);
  void write(const Words& words, std::ostream& out);
  void tick(const Words& words, std::ostream& out);
  void status(const Words& words, std::ostream& out);

  void connect(std::uint32_t i, const Words& words, std::ostream& out);
  void disconnect(std::uint32_t i, const Words& words, std::ostream& out);
  void restart(std::uint32_t i, const Words& words, std::ostream& out);
  void start(std::uint32_t i, const Words& words, std::ostream& out);
  void finish(std::uint32_t i, const Words& words, std::ostream& out);
  void send(std::uint32_t i, const Words& words, std::ostream& out);
  void cut(std::uint32_t i, const Words& words, std::ostream& out);
  void drain(std::uint32_t i, const Words& words, std::ostream& out);
  void lose(std::uint32_t i, const Words& words, std::ostream& out);
  void deliver(std::uint32_t i, const Words& words, std::ostream& out);
  void forge(std::uint32_t i, const Words& words, std::ostream& out);
  void flow(std::uint32_t i, const Words& words, std::ostream& out);
  void commit(std::uint32_t i, const Words& words, std::ostream& out);
  void apply(std::uint32_t i, const Words& words, std::ostream& out);
  void emit(std::uint32_t i, const Words& words, std::ostream& out);
  void count(std::uint32_t i, const Words& words, std::ostream& out);
  void ack(std::uint32_t i, const Words& words, std::ostream& out);

  core::FrameVerdict deliver_one(std::uint32_t i, const core::FrameInfo& frame, std::ostream& out);
  void add_rule(const std::string& text, std::ostream& out);
  void write_effects(std::ostream& out);

  std::unique_ptr<World> world_;
};

/// A table of what the primary knows, and a bar for each watermark.
void write_status(const World& world, std::ostream& out);
std::string milliseconds(Instant time);

}  // namespace quorate::scenarios
