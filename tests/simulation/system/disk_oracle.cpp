#include "tests/simulation/system/disk_oracle.h"

#include <algorithm>
#include <iterator>

#include "tests/simulation/world/content.h"

namespace quorate::simulation {

namespace {

constexpr std::uint64_t kMagic = 0x52454744454C5551u;

std::uint64_t checksum_of(const LedgerUnit& unit) {
  return content_of({reinterpret_cast<const std::byte*>(&unit),
                     sizeof unit - sizeof unit.checksum});
}

}  // namespace

LedgerUnit LedgerUnit::make(std::uint64_t generation, std::uint64_t sequence) {
  LedgerUnit unit;
  unit.magic = kMagic;
  unit.generation = generation;
  unit.sequence = sequence;
  fill(unit.filler, generation << 16 | sequence);
  unit.checksum = checksum_of(unit);
  return unit;
}

bool LedgerUnit::whole() const { return magic == kMagic && checksum == checksum_of(*this); }

void DiskOracle::acknowledge(std::uint64_t generation, std::uint64_t sequence,
                             std::uint64_t damage) {
  ++acknowledged;
  Ledger& ledger = ledgers_[generation];
  if (ledger.damage.empty()) ledger.wipes = wipes_;
  ledger.damage[sequence] = damage;
}

std::uint64_t DiskOracle::damage() const noexcept {
  return counts_.misdirected_writes + counts_.misdirected_sectors + counts_.lost_writes +
         counts_.bit_flips + counts_.wipes;
}

void DiskOracle::fail(std::uint64_t generation, std::uint64_t sequence, const char* what) {
  if (!violation_.empty()) return;
  violation_ = "ledger " + std::to_string(generation) + " unit " + std::to_string(sequence) + ": " +
               what;
}

void DiskOracle::judge_files(const std::vector<std::uint64_t>& found) {
  for (auto at = ledgers_.begin(); at != ledgers_.end();) {
    const bool missing = std::find(found.begin(), found.end(), at->first) == found.end();
    if (missing && at->second.wipes == counts_.wipes) {
      fail(at->first, at->second.damage.begin()->first, "acknowledged, and its file is missing");
    }
    at = missing ? ledgers_.erase(at) : std::next(at);
  }
}

void DiskOracle::judge(std::uint64_t generation, std::uint64_t sequence, const LedgerUnit& unit) {
  const bool valid = unit.whole() && unit.generation == generation && unit.sequence == sequence;
  if (valid && unit.filler != LedgerUnit::make(generation, sequence).filler) {
    fail(generation, sequence, "reads as valid and is not what was written");
  }
  const auto ledger = ledgers_.find(generation);
  if (ledger == ledgers_.end()) return;
  const auto promised = ledger->second.damage.find(sequence);
  if (promised == ledger->second.damage.end()) return;
  if (valid) {
    ++confirmed;
  } else if (damage() > promised->second) {
    ++excused;
  } else {
    fail(generation, sequence, "acknowledged as durable, and lost on a sound medium");
  }
}

}  // namespace quorate::simulation
