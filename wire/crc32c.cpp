#include "wire/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace quorate::wire {

namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected

constexpr std::array<std::array<std::uint32_t, 256>, 8> make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (std::uint32_t i = 0; i < 256; ++i) {
    for (std::size_t t = 1; t < 8; ++t) {
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 255];
    }
  }
  return tables;
}
constexpr auto kTables = make_tables();

/// a * b modulo the polynomial, reflected: bit 31 is x^0.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t mask = 1u << 31; mask != 0; mask >>= 1) {
    if (a & mask) product ^= b;
    b = (b >> 1) ^ (b & 1 ? kPolynomial : 0);
  }
  return product;
}

/// x^(8 * bytes) modulo the polynomial: multiplying by it appends that many zero bytes.
constexpr std::uint32_t zeros_operator(std::uint64_t bytes) {
  std::uint32_t result = 1u << 31;  // x^0
  std::uint32_t power = 1u << 23;   // x^8
  for (; bytes != 0; bytes >>= 1) {
    if (bytes & 1) result = multiply(result, power);
    power = multiply(power, power);
  }
  return result;
}

#if defined(__x86_64__)

/// Applies a fixed zeros operator by table: four look-ups instead of 32 steps.
struct ShiftTable {
  std::array<std::array<std::uint32_t, 256>, 4> bytes{};

  constexpr explicit ShiftTable(std::uint64_t length) {
    const std::uint32_t by = zeros_operator(length);
    for (std::uint32_t b = 0; b < 4; ++b) {
      for (std::uint32_t value = 0; value < 256; ++value) {
        bytes[b][value] = multiply(by, value << (8 * b));
      }
    }
  }
  [[nodiscard]] std::uint32_t shift(std::uint32_t crc) const {
    return bytes[0][crc & 255] ^ bytes[1][(crc >> 8) & 255] ^ bytes[2][(crc >> 16) & 255] ^
           bytes[3][crc >> 24];
  }
};

constexpr std::size_t kLongChain = 4096;  // bytes of each of three interleaved chains
constexpr std::size_t kShortChain = 256;
constexpr ShiftTable kLongShift(kLongChain);
constexpr ShiftTable kShortShift(kShortChain);

inline std::uint64_t load(const std::byte* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// The instruction has a latency of 3 and a throughput of 1, so three chains run at once.
template <std::size_t kChain>
__attribute__((target("sse4.2"))) std::uint32_t three_chains(const std::byte* bytes,
                                                             std::uint32_t crc,
                                                             const ShiftTable& shift) {
  std::uint64_t a = crc;
  std::uint64_t b = 0;
  std::uint64_t c = 0;
  for (std::size_t i = 0; i < kChain; i += 8) {
    a = _mm_crc32_u64(a, load(bytes + i));
    b = _mm_crc32_u64(b, load(bytes + kChain + i));
    c = _mm_crc32_u64(c, load(bytes + 2 * kChain + i));
  }
  const std::uint32_t ab =
      shift.shift(static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b);
  return shift.shift(ab) ^ static_cast<std::uint32_t>(c);
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_hardware(std::span<const std::byte> data,
                                                                std::uint32_t seed) noexcept {
  const std::byte* bytes = data.data();
  std::size_t left = data.size();
  std::uint32_t crc = ~seed;
  for (; left >= 3 * kLongChain; left -= 3 * kLongChain, bytes += 3 * kLongChain) {
    crc = three_chains<kLongChain>(bytes, crc, kLongShift);
  }
  for (; left >= 3 * kShortChain; left -= 3 * kShortChain, bytes += 3 * kShortChain) {
    crc = three_chains<kShortChain>(bytes, crc, kShortShift);
  }
  std::uint64_t wide = crc;
  for (; left >= 8; left -= 8, bytes += 8) wide = _mm_crc32_u64(wide, load(bytes));
  crc = static_cast<std::uint32_t>(wide);
  for (; left > 0; --left, ++bytes) crc = _mm_crc32_u8(crc, std::to_integer<unsigned char>(*bytes));
  return ~crc;
}

#endif

using Function = std::uint32_t (*)(std::span<const std::byte>, std::uint32_t) noexcept;

Function choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return &crc32c_hardware;
#endif
  return &crc32c_portable;
}

}  // namespace

std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t seed) noexcept {
  std::uint32_t crc = ~seed;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    word ^= crc;
    crc = 0;
    for (std::size_t t = 0; t < 8; ++t) crc ^= kTables[7 - t][(word >> (8 * t)) & 255];
  }
  for (; i < bytes.size(); ++i) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<std::uint32_t>(bytes[i])) & 255];
  }
  return ~crc;
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed) noexcept {
  static const Function function = choose();
  return function(bytes, seed);
}

std::uint32_t crc32c_combine(std::uint32_t first, std::uint32_t second,
                             std::uint64_t second_bytes) noexcept {
  return multiply(zeros_operator(second_bytes), first) ^ second;
}

}  // namespace quorate::wire
