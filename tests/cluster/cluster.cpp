#include "cluster.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <ostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace quorate::cluster {

namespace {

constexpr std::chrono::milliseconds kAskAgain{5};

[[noreturn]] void give_up(const std::string& what) { throw std::runtime_error(what); }

tools::Process start(const std::string& words) {
  std::signal(SIGPIPE, SIG_IGN);
  // A node is killed at the end of its test, so what its sanitizer found must end it at once.
  ::setenv("TSAN_OPTIONS", "halt_on_error=1", 0);
  std::istringstream stream(words);
  std::vector<std::string> arguments;
  for (std::string word; stream >> word;) arguments.push_back(word);
  auto process = tools::Process::start(CLUSTER_NODE, arguments);
  if (!process) give_up(process.error().text);
  return std::move(process).value();
}

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

}  // namespace

void eventually(const std::string& what, const std::function<bool()>& condition) {
  const double deadline_s = tools::now_s() + kPatience_s;
  while (!condition()) {
    if (tools::now_s() > deadline_s) give_up("never: " + what);
    std::this_thread::sleep_for(kAskAgain);
  }
}

std::uint16_t free_port() {
  std::random_device random;
  for (;;) {
    const auto port = static_cast<std::uint16_t>(10'240 + random() % 22'000);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int result = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::close(fd);
    if (result == 0) return port;
  }
}

// Any node.

Node::Node(const std::string& words) : who_(words), process_(start(words)) {
  ready_ = hear("ready");
  backend_ = ready_.value("backend");
}

/// Lines that nobody asked for yet are kept: what a thread of the node tells by itself may come
/// before the answer to a command.
tools::Line Node::hear(const std::string& verb) {
  const auto kept = std::find_if(unheard_.begin(), unheard_.end(),
                                 [&](const tools::Line& line) { return line.verb == verb; });
  if (kept != unheard_.end()) {
    tools::Line line = *kept;
    unheard_.erase(kept);
    return line;
  }
  const double deadline_s = tools::now_s() + kPatience_s;
  for (;;) {
    const auto text = process_.read_line(std::max(0.0, deadline_s - tools::now_s()));
    if (!text) give_up(who_ + ": waiting for " + verb + ": " + text.error().text);
    tools::Line line = tools::Line::parse(*text);
    if (line.verb == verb) return line;
    if (line.verb == "error") give_up(who_ + ": " + line.text);
    unheard_.push_back(std::move(line));
  }
}

tools::Line Node::ask(const std::string& command, const std::string& answer) {
  process_.tell(command);
  return hear(answer);
}

void Node::kill() {
  signal(SIGKILL);
  eventually("the killed process has ended", [&] { return !running(); });
}

std::uint64_t Node::memory(const std::string& key) const {
  std::ifstream status("/proc/" + std::to_string(process_.pid()) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(key)) continue;
    return std::strtoull(line.c_str() + key.size(), nullptr, 10) << 10;
  }
  give_up("no " + key + " of " + who_);
}

void Node::forget_peak() const {
  std::ofstream("/proc/" + std::to_string(process_.pid()) + "/clear_refs") << "5";
}

double Node::processor_s() const {
  std::ifstream stat("/proc/" + std::to_string(process_.pid()) + "/stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// Primaries.

std::uint16_t PrimaryNode::port() const {
  return static_cast<std::uint16_t>(std::stoul(port_of(address())));
}

std::uint64_t PrimaryNode::number(const std::string& key) {
  return std::stoull(ask("status", "status").value(key));
}

Seen PrimaryNode::seen(const std::string& replica, std::uint32_t stream) {
  const std::string text =
      ask("status stream=" + std::to_string(stream), "status").value(replica);
  std::istringstream parts(text);
  Seen seen;
  std::getline(parts, seen.state, ':');
  char colon = 0;
  parts >> seen.sent >> colon >> seen.received >> colon >> seen.applied >> colon >> seen.lag;
  return seen;
}

void PrimaryNode::until_seen(const std::string& replica, const std::string& state) {
  eventually("replica " + replica + " is " + state, [&] { return seen(replica).state == state; });
}

void PrimaryNode::append(std::uint64_t count, std::uint64_t bytes, const std::string& more) {
  const tools::Line line = ask("append count=" + std::to_string(count) + " bytes=" +
                                   std::to_string(bytes) + ' ' + more,
                               "appended");
  ASSERT_EQ(line.value("count"), std::to_string(count)) << line.text;
}

std::string PrimaryNode::await(const std::string& rule, std::uint64_t timeout_ms) {
  return ask("await rule=" + rule + " timeout_ms=" + std::to_string(timeout_ms), "outcome")
      .value("kind");
}

std::uint64_t PrimaryNode::progress(const std::string& key) {
  return std::stoull(ask("progress", "progress").value(key));
}

void PrimaryNode::until_progress(std::uint64_t more, const std::string& key) {
  const std::uint64_t goal = progress(key) + more;
  eventually(key + " of the load reach " + std::to_string(goal),
             [&] { return progress(key) >= goal; });
}

Digest PrimaryNode::digest() {
  const tools::Line line = ask("digest", "digest");
  return {std::stoull(line.value("records")), line.value("sum"), 0};
}

// Replicas.

std::string ReplicaNode::text(const std::string& key) { return ask("status", "status").value(key); }

std::uint64_t ReplicaNode::number(const std::string& key) { return std::stoull(text(key)); }

void ReplicaNode::until(const std::string& key, const std::string& value) {
  eventually("a replica's " + key + " is " + value, [&] { return text(key) == value; });
}

void ReplicaNode::until_at_least(const std::string& key, std::uint64_t value) {
  eventually("a replica's " + key + " reaches " + std::to_string(value),
             [&] { return number(key) >= value; });
}

std::string ReplicaNode::reason() {
  const std::string text = ask("status", "status").text;
  return text.substr(text.find("reason=") + 7);
}

Digest ReplicaNode::digest() {
  const tools::Line line = ask("digest", "digest");
  return {std::stoull(line.value("records")), line.value("sum"),
          std::stoull(line.value("disorders"))};
}

void PrintTo(const Digest& digest, std::ostream* out) {
  *out << digest.records << " records, sum " << digest.sum << ", " << digest.disorders
       << " disorders";
}

void expect_same_content(PrimaryNode& primary, ReplicaNode& replica) {
  const Digest wanted = primary.digest();
  eventually("the replica has applied everything",
             [&] { return replica.digest().records >= wanted.records; });
  EXPECT_EQ(replica.digest(), wanted);
}

}  // namespace quorate::cluster
