// Freeing what is large and made of many pieces, behind the back of whoever waits for an answer.
//
//   DiscardBehind(std::move(queue));   // returns at once; millions of pieces take a second
#pragma once

#include <system_error>
#include <thread>
#include <utility>

namespace espalier::base {

// The value's destructor must touch nothing but what the value owns.
template <class T>
void DiscardBehind(T&& value) {
  try {
    std::thread([held = std::forward<T>(value)] {}).detach();
  } catch (const std::system_error&) {
    // No thread to be had: it was freed here.
  }
}

}  // namespace espalier::base
