#include "wire/crc32c.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace quorate::wire {
namespace {

std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random.next());
  return bytes;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

using Function = std::uint32_t (*)(std::span<const std::byte>, std::uint32_t) noexcept;

class Crc32cVectors : public testing::TestWithParam<Function> {};

// RFC 3720, appendix B.4, and the check value of the polynomial.
TEST_P(Crc32cVectors, AreAsPublished) {
  std::vector<std::byte> bytes(32, std::byte{0});
  EXPECT_EQ(GetParam()(bytes, 0), 0x8A9136AAu);
  bytes.assign(32, std::byte{0xFF});
  EXPECT_EQ(GetParam()(bytes, 0), 0x62A8AB43u);
  for (int i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(GetParam()(bytes, 0), 0x46DD794Eu);
  for (int i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(31 - i);
  EXPECT_EQ(GetParam()(bytes, 0), 0x113FDB5Cu);
  EXPECT_EQ(GetParam()(bytes_of("123456789"), 0), 0xE3069283u);
  EXPECT_EQ(GetParam()({}, 0), 0u);
}

INSTANTIATE_TEST_SUITE_P(Both, Crc32cVectors, testing::Values(&crc32c, &crc32c_portable),
                         [](const auto& chosen) {
                           return chosen.index == 0 ? "Chosen" : "Portable";
                         });

TEST(Crc32c, ChosenImplementationEqualsThePortableOneAtEveryLength) {
  const auto bytes = random_bytes(5008, 1);
  for (std::size_t size = 0; size <= 5000; ++size) {
    const std::span<const std::byte> piece(bytes.data() + size % 8, size);
    for (const std::uint32_t seed : {0u, 1u, 0xFFFFFFFFu, 0x9E3779B9u}) {
      ASSERT_EQ(crc32c(piece, seed), crc32c_portable(piece, seed))
          << size << " bytes, seed " << seed;
    }
  }
}

TEST(Crc32c, LongBuffersUseTheLongChainsAndAgreeToo) {
  const auto bytes = random_bytes(300'000, 2);
  for (const std::size_t size : {12'287u, 12'288u, 12'289u, 24'576u, 65'536u, 262'144u, 299'993u}) {
    ASSERT_EQ(crc32c({bytes.data(), size}), crc32c_portable({bytes.data(), size})) << size;
  }
}

TEST(Crc32c, PiecesChain) {
  const auto bytes = random_bytes(20'000, 3);
  const std::span<const std::byte> all(bytes);
  const std::uint32_t whole = crc32c(all);
  for (const std::size_t cut : {0u, 1u, 7u, 8u, 767u, 768u, 12'288u, 19'999u, 20'000u}) {
    EXPECT_EQ(crc32c(all.subspan(cut), crc32c(all.first(cut))), whole) << cut;
  }
}

TEST(Crc32c, PiecesCombineFromTheirOwnChecksums) {
  const auto bytes = random_bytes(70'000, 4);
  const std::span<const std::byte> all(bytes);
  for (const std::size_t cut : {0u, 1u, 5u, 48u, 4096u, 65'536u, 69'999u, 70'000u}) {
    const auto first = all.first(cut);
    const auto second = all.subspan(cut);
    EXPECT_EQ(crc32c_combine(crc32c(first), crc32c(second), second.size()), crc32c(all)) << cut;
  }
}

TEST(Crc32c, EverySingleBitCounts) {
  auto bytes = random_bytes(100, 5);
  const std::uint32_t whole = crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    ASSERT_NE(crc32c(bytes), whole) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
}

}  // namespace
}  // namespace quorate::wire
