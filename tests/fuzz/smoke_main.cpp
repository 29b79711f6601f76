// Runs a fuzz target without libFuzzer.
//   (nothing)     the seeds, then seeded mutations of them: the same ones in every run, until
//                 kRounds or QUORATE_FUZZ_SECONDS, whichever is first
//   --write DIR   writes the seeds as a corpus for libFuzzer
//   FILE…         replays inputs, for instance what libFuzzer found

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/random.h"
#include "tests/fuzz/target.h"

namespace {

using quorate::base::Random;

constexpr int kRounds = 100'000;
constexpr std::size_t kInputBytesMax = 64u << 10;

/// In memory of exactly that size, so that a sanitizer sees every read behind it.
void run(const FuzzInput& input) {
  const FuzzInput exact(input);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::uint32_t interesting(Random& random) {
  constexpr std::uint32_t kWords[] = {0,  1,          2,          3,          4,    7,       8,
                                      16, 64,         0x7FFFFFFF, 0x80000000, ~0u,  ~3u,     ~7u,
                                      96, 0x0000FFFF, 0x00010000, 0x10000000, 4096, 1u << 20};
  return kWords[random.below(std::size(kWords))];
}

void mutate(FuzzInput& input, const std::vector<FuzzInput>& seeds, Random& random) {
  const std::size_t at = random.below(input.size());
  const std::size_t room = input.size() - at;
  switch (random.below(7)) {
    case 0:
      input[at] ^= static_cast<std::uint8_t>(1u << random.below(8));
      break;
    case 1:
      input[at] = static_cast<std::uint8_t>(random.next());
      break;
    case 2: {
      const std::uint32_t word = interesting(random);
      std::memcpy(input.data() + at, &word, std::min(room, sizeof word));
      break;
    }
    case 3:
      input.resize(1 + at);
      break;
    case 4: {
      const auto from = input.begin() + static_cast<std::ptrdiff_t>(at);
      const FuzzInput piece(from, from + static_cast<std::ptrdiff_t>(random.below(room)));
      input.insert(from, piece.begin(), piece.end());
      break;
    }
    case 5: {
      const auto from = input.begin() + static_cast<std::ptrdiff_t>(at);
      input.erase(from, from + static_cast<std::ptrdiff_t>(random.below(room)));
      break;
    }
    default: {
      const FuzzInput& other = seeds[random.below(seeds.size())];
      input.insert(input.end(), other.begin() + 1, other.end());
    }
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
}

int smoke() {
  const auto seeds = fuzz_seeds();
  for (const FuzzInput& seed : seeds) run(seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(QUORATE_FUZZ_SECONDS);
  Random random(20'240'601);
  int rounds = 0;
  for (; rounds < kRounds && std::chrono::steady_clock::now() < end; ++rounds) {
    FuzzInput input = seeds[random.below(seeds.size())];
    for (std::uint64_t changes = 1 + random.below(5); changes > 0; --changes) {
      mutate(input, seeds, random);
    }
    run(input);
  }
  std::printf("%zu seeds and %d mutations survived\n", seeds.size(), rounds);
  return 0;
}

int write_corpus(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  int number = 0;
  for (const FuzzInput& seed : fuzz_seeds()) {
    std::ofstream file(directory / ("seed" + std::to_string(number++)), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.data()),
               static_cast<std::streamsize>(seed.size()));
    if (!file.flush()) return 1;
  }
  return 0;
}

int replay(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path);
    return 1;
  }
  run(FuzzInput(std::istreambuf_iterator<char>(file), {}));
  std::printf("%s survived\n", path);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) return smoke();
  if (argc == 3 && std::string(argv[1]) == "--write") return write_corpus(argv[2]);
  for (int i = 1; i < argc; ++i) {
    if (replay(argv[i]) != 0) return 1;
  }
  return 0;
}
