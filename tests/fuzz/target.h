#pragma once

// What a fuzz target consists of: libFuzzer's entry point, and seeds. The same source is linked
// with libFuzzer (clang) and with smoke_main.cpp (every compiler).

#include <cstddef>
#include <cstdint>
#include <vector>

using FuzzInput = std::vector<std::uint8_t>;

/// Inputs to begin from, good ones for the most part.
std::vector<FuzzInput> fuzz_seeds();

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
