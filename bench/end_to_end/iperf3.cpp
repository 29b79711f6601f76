#include "bench/end_to_end/iperf3.h"
#include "tools/process/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>


namespace quorate::bench {
namespace {

using tools::about;
using tools::Process;

constexpr double kBytesPerMiB = 1024.0 * 1024.0;

/// A port nobody listens on now; 0 on failure. iperf3 cannot be told to pick one itself.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool good = ::bind(fd, any, length) == 0 && ::getsockname(fd, any, &length) == 0;
  ::close(fd);
  return good ? ntohs(address.sin_port) : std::uint16_t{0};
}

/// Some kernels grant cubic to root only; engine and roofline take reno then.
const char* congestion_control() {
  constexpr std::string_view kCubic = "cubic";
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int result =
      ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kCubic.data(), kCubic.size());
  ::close(fd);
  return result == 0 ? "cubic" : "reno";
}

/// end.sum_received.bits_per_second of iperf3's JSON; 0 when it is not there.
double received_bits_per_s(std::string_view json) {
  const auto sum = json.rfind("\"sum_received\"");
  if (sum == std::string_view::npos) return 0;
  constexpr std::string_view kKey = "\"bits_per_second\":";
  const auto key = json.find(kKey, sum);
  if (key == std::string_view::npos) return 0;
  return std::atof(std::string(json.substr(key + kKey.size(), 40)).c_str());
}

bool installed() {
  auto version = Process::start("iperf3", {"--version"}, true);
  if (!version) return false;
  auto text = version->read_all(5);
  return text && text->find("iperf") != std::string::npos;
}

}  // namespace

Result<double> iperf3_mib_per_s(double seconds) {
  if (!installed()) return Error(Errc::unsupported, "iperf3 is not installed (Debian: iperf3)");
  const std::string port = std::to_string(free_port());
  auto server =
      Process::start("iperf3", {"-s", "-1", "--forceflush", "-B", "127.0.0.1", "-p", port});
  if (!server) return about("start", server.error());
  for (std::string line; line.find("Server listening") == std::string::npos;) {
    auto next = server->read_line(5);
    if (!next) return about("server", next.error());
    line = *next;
  }
  const std::string whole_seconds = std::to_string(static_cast<int>(seconds + 0.5));
  auto client = Process::start(
      "iperf3", {"-c", "127.0.0.1", "-p", port, "-C", congestion_control(), "-l", "256K", "-t",
                 whole_seconds, "-J"});
  if (!client) return about("start", client.error());
  auto json = client->read_all(seconds + 10);
  if (!json) return about("client", json.error());
  const double bits = received_bits_per_s(*json);
  if (bits <= 0) return Error(Errc::io, "iperf3 gave no figure");
  return bits / 8 / kBytesPerMiB;
}

}  // namespace quorate::bench
