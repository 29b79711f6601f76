// A primary and two replicas with logs, real processes, killed again and again under load: any of
// them or all, at a drawn moment. After each cycle every line that the primary said was released is
// in its log and has reached both replicas, and all three hold the same lines in the same order.
//
// QUORATE_KILL_CYCLES=200 makes it longer, QUORATE_KILL_SEED=N draws otherwise. Logs lie where
// temporary files go, so TMPDIR chooses the file system.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cluster.h"
#include "tool.h"
#include "tools/load/owned_directory.h"

namespace quorate::cluster {
namespace {

using tools::OwnedDirectory;
using tools::Process;

constexpr std::uint64_t kLinesAhead = 24;  ///< told to the primary and not answered yet

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// What was told to primaries, by running number: what a line holds is known again by it.
class Lines {
 public:
  explicit Lines(std::uint64_t seed) : random_(seed) {}

  /// The next one, of a drawn length.
  std::string draw() {
    std::string text = std::to_string(++last_) + ' ';
    const std::size_t bytes = random_() % 8 == 0 ? random_() % 30'000 : random_() % 300;
    const char letter = static_cast<char>('a' + random_() % 26);
    text.append(bytes, letter);
    told_.push_back(text);
    return text;
  }
  [[nodiscard]] std::uint64_t last() const { return last_; }
  [[nodiscard]] bool was_told(const std::string& line) const {
    const std::uint64_t number = number_of(line);
    return number > 0 && number <= last_ && told_[number - 1] == line;
  }
  static std::uint64_t number_of(const std::string& line) {
    return std::strtoull(line.c_str(), nullptr, 10);
  }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

 private:
  std::mt19937_64 random_;
  std::uint64_t last_ = 0;
  std::vector<std::string> told_;
};

/// A primary of one life: what it was told, and what it said became of that.
class KilledPrimary {
 public:
  KilledPrimary(const std::string& address, const std::string& directory, Lines& lines)
      : lines_(lines) {
    for (bool listens = false; !listens;) {
      tool_ = std::make_unique<Tool>(
          "primary", std::vector<std::string>{"node", "--role=primary", "--listen=" + address,
                                              "--replicas=b,c", "--mode=copies:2",
                                              "--level=durable", "--echo", "--wait=60",
                                              "--segment-mib=8", "--directory=" + directory});
      listens = tool_->hear_or_end("listening on").has_value();
      // The port of one that was killed stays taken for a moment (see restart_test.cpp).
      if (listens || tool_->said().find("in use") != std::string::npos) continue;
      throw std::runtime_error("the primary does not start: " + tool_->said());
    }
  }

  /// Tells it lines ahead, and hears what became of the oldest.
  void load(std::vector<std::uint64_t>& released) {
    while (told_.size() < heard_ + kLinesAhead) tell();
    hear(released, true);
  }
  /// Tells one more, and hears until it is released.
  std::uint64_t finish(std::vector<std::uint64_t>& released) {
    tell();
    while (heard_ < told_.size()) hear(released, true);
    return told_.back();
  }
  /// Hears what it had said before it was killed.
  void kill(std::vector<std::uint64_t>& released) {
    tool_->kill();
    while (hear(released, false)) {
    }
  }

 private:
  void tell() {
    tool_->tell(lines_.draw());
    told_.push_back(lines_.last());
  }
  bool hear(std::vector<std::uint64_t>& released, bool lives) {
    const auto echo = tool_->hear_or_end("line=");
    if (!echo && lives) throw std::runtime_error("the primary ended: " + tool_->said());
    if (!echo) return false;
    // A line that was being said when it was killed counts only as a whole.
    const bool whole = echo->find(" copies=") != std::string::npos;
    if (whole && echo->find(" released level=durable") != std::string::npos) {
      released.push_back(told_.at(std::strtoull(echo->c_str() + 5, nullptr, 10) - 1));
    } else if (lives) {
      throw std::runtime_error("a line was not released in time: " + *echo);
    }
    ++heard_;
    return true;
  }

  Lines& lines_;
  std::unique_ptr<Tool> tool_;
  std::vector<std::uint64_t> told_;  ///< by line of its input
  std::size_t heard_ = 0;
};

/// A replica of one life, which writes all that it applies, from the first record on, to a file: a
/// pipe that nobody reads would stop it.
class KilledReplica {
 public:
  KilledReplica(const std::string& name, const std::string& address, const std::string& directory,
                std::uint64_t life)
      : notices_(directory + ".notices"), output_(directory + ".output-" + std::to_string(life)) {
    // The shell becomes the tool, so that signals reach it.
    auto process = Process::start(
        "sh", {"-c", "exec \"$0\" \"$@\" 2>>" + notices_, QUORATE_TOOL, "node", "--role=replica",
               "--primary=" + address, "--name=" + name, "--output=" + output_,
               "--segment-mib=8", "--directory=" + directory});
    if (!process) throw std::runtime_error(process.error().text);
    process_ = std::make_unique<Process>(std::move(*process));
  }
  ~KilledReplica() {
    process_.reset();
    std::filesystem::remove(output_);
  }

  void kill() { process_.reset(); }  // its destructor does
  /// Reads what it applied until that line.
  void read_until(std::uint64_t number) {
    eventually("line " + std::to_string(number) + " in " + output_, [&] {
      read();
      return !lines.empty() && Lines::number_of(lines.back()) >= number;
    });
  }
  /// What it said of all its lives.
  [[nodiscard]] std::string notices() const {
    std::ifstream file(notices_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::vector<std::string> lines;

 private:
  void read() {
    std::ifstream file(output_, std::ios::binary);
    if (!file.seekg(static_cast<std::streamoff>(read_))) return;
    const std::string more{std::istreambuf_iterator<char>(file), {}};
    read_ += more.size();
    pending_ += more;
    std::size_t begin = 0;
    for (std::size_t end; (end = pending_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      lines.push_back(pending_.substr(begin, end - begin));
    }
    pending_.erase(0, begin);
  }

  std::string notices_;
  std::string output_;
  std::unique_ptr<Process> process_;
  std::uint64_t read_ = 0;
  std::string pending_;
};

class KillCycles : public testing::Test {
 protected:
  [[nodiscard]] std::string at(const std::string& name) const {
    return directory_.path() + '/' + name;
  }
  void start_primary() {
    primary_ = std::make_unique<KilledPrimary>(address_, at("a"), lines_);
  }
  void start_replica(const std::string& name) {
    replicas_[name] = std::make_unique<KilledReplica>(name, address_, at(name), ++lives_);
  }
  /// `whom`: 1 the primary, 2 and 4 the replicas, and sums.
  void kill_and_restart(std::uint64_t whom) {
    if ((whom & 1) != 0) primary_->kill(released_);
    if ((whom & 2) != 0) replicas_["b"]->kill();
    if ((whom & 4) != 0) replicas_["c"]->kill();
    const bool primary_last = lines_.below(2) == 0;
    if ((whom & 1) != 0 && !primary_last) start_primary();
    if ((whom & 2) != 0) start_replica("b");
    if ((whom & 4) != 0) start_replica("c");
    if ((whom & 1) != 0 && primary_last) start_primary();
  }
  /// The payloads of the primary's log, read beside it.
  std::vector<std::string> log_of_primary() {
    auto dump = Process::start(QUORATE_TOOL, {"log", "dump", "--payload", at("a")});
    if (!dump) throw std::runtime_error(dump.error().text);
    std::istringstream all(dump->read_all(kPatience_s).value());
    std::vector<std::string> found;
    for (std::string line; std::getline(all, line);) found.push_back(line);
    return found;
  }
  void cycle(std::uint64_t whom);
  void check_cycle();
  /// For somebody who has to find out why it failed.
  std::string how_it_stands() {
    std::string text;
    for (const auto& [name, replica] : replicas_) {
      text += "\nreplica " + name + " said\n" + replica->notices();
    }
    auto status = Process::start(QUORATE_TOOL, {"status", "--address=" + address_});
    const Result<std::string> said =
        status ? status->read_all(kPatience_s) : Result<std::string>(status.error());
    return text + '\n' + (said ? *said : said.error().text);
  }

  OwnedDirectory directory_ = OwnedDirectory::make_fresh("", false).value();
  std::string address_ = "127.0.0.1:" + std::to_string(free_port());
  Lines lines_{from_environment("QUORATE_KILL_SEED", 1)};
  std::unique_ptr<KilledPrimary> primary_;
  std::map<std::string, std::unique_ptr<KilledReplica>> replicas_;
  std::uint64_t lives_ = 0;  ///< of replicas, so that each has an output of its own
  std::vector<std::uint64_t> released_;
};

void KillCycles::check_cycle() {
  const std::uint64_t last = primary_->finish(released_);
  const std::vector<std::string> log = log_of_primary();
  std::size_t differing = 0, lost = 0;
  std::uint64_t before = 0;
  auto wanted = released_.begin();
  for (const std::string& line : log) {
    const std::uint64_t number = Lines::number_of(line);
    if (number <= before || !lines_.was_told(line)) ++differing;
    before = number;
    for (; wanted != released_.end() && *wanted < number; ++wanted) ++lost;
    if (wanted != released_.end() && *wanted == number) ++wanted;
  }
  lost += static_cast<std::size_t>(released_.end() - wanted);
  ASSERT_EQ(differing, 0u) << "of " << log.size() << " lines in the primary's log";
  ASSERT_EQ(lost, 0u) << "of " << released_.size() << " that were released";
  for (auto& [name, replica] : replicas_) {
    replica->read_until(last);
    ASSERT_TRUE(replica->lines == log) << "replica " << name << " applied "
                                       << replica->lines.size() << " lines, the log of the primary "
                                       << "holds " << log.size();
  }
}

void KillCycles::cycle(std::uint64_t whom) {
  try {
    for (std::uint64_t left = lines_.below(60); left > 0; --left) primary_->load(released_);
    kill_and_restart(whom);
    check_cycle();
  } catch (const std::runtime_error& error) {
    FAIL() << error.what() << how_it_stands();
  }
}

TEST_F(KillCycles, NothingThatWasReleasedIsLost) {
  start_primary();
  start_replica("b");
  start_replica("c");
  const std::uint64_t cycles = from_environment("QUORATE_KILL_CYCLES", 10);
  for (std::uint64_t number = 1; number <= cycles; ++number) {
    const std::uint64_t whom = 1 + lines_.below(7);
    cycle(whom);
    ASSERT_FALSE(HasFailure()) << "cycle " << number << ", killed " << whom;
  }
  for (const char* name : {"a", "b", "c"}) {
    Tool verify("verify", {"log", "verify", at(name)});
    EXPECT_EQ(verify.exit_code(), 0) << verify.said();
  }
  RecordProperty("cycles", std::to_string(cycles));
  RecordProperty("lines_released", std::to_string(released_.size()));
}

}  // namespace
}  // namespace quorate::cluster
