// The entry point of a fuzz target, as libFuzzer calls it; fuzz_main.cc calls it where libFuzzer is not
// available.
#pragma once

#include <cstddef>
#include <cstdint>

// Must return for every input; a crash, a sanitizer report or more than a minute is a bug.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
