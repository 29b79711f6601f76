#pragma once

// Streams of wire units for the fuzz targets. Checksums stop nearly every mutation at the door, so
// inputs may ask for theirs to be repaired: then what lies behind the door is tried as well.

#include <cstddef>
#include <span>
#include <vector>

namespace quorate::fuzz {

/// Gives every unit of the stream the checksums and the sequence number it should have, as far as
/// its lengths lead from one unit to the next.
void repair(std::span<std::byte> stream);

/// Units of every type, one after the other, each as the golden files have it, repaired.
std::vector<std::byte> all_units();

/// A stream of batches only, whose frames follow each other.
std::vector<std::byte> batches(std::size_t count);

}  // namespace quorate::fuzz
