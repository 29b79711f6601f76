#pragma once

// Addresses of simulated hosts: 10.0.0.<host + 1>, and 127.0.0.1 or ::1 for a host itself.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>
#include <optional>

#include "reactor/operation.h"
#include "tests/simulation/system/host.h"

namespace quorate::simulation {

inline std::uint16_t port_of(const reactor::Address& address) noexcept {
  if (address.storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

/// Empty: no host has it. `self` is who asks.
inline std::optional<HostId> host_of(const reactor::Address& address, HostId self,
                                     std::uint32_t hosts) noexcept {
  if (address.storage.ss_family == AF_INET6) return self;
  const auto ip = ntohl(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr.s_addr);
  if (ip == 0 || ip >> 24 == 127) return self;
  if (ip >> 8 != 0x0A0000 || (ip & 0xFF) == 0 || (ip & 0xFF) > hosts) return std::nullopt;
  return (ip & 0xFF) - 1;
}

inline reactor::Address address_at(HostId host, std::uint16_t port) noexcept {
  reactor::Address address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  in->sin_family = AF_INET;
  in->sin_port = htons(port);
  in->sin_addr.s_addr = htonl(0x0A000001u + host);
  address.length = sizeof(sockaddr_in);
  return address;
}

}  // namespace quorate::simulation
