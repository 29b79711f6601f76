#pragma once

// One valid body of each control message, and for each the functions that view and read it.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quorate::wire {

struct Message {
  std::string name;
  std::vector<std::byte> body;
  bool (*accepts)(std::span<const std::byte> body);  ///< the view function
  bool (*read)(std::span<const std::byte> body);     ///< views and reads every field
};
std::vector<Message> valid_messages();

/// An 8-aligned copy in memory of exactly that size: a sanitizer sees every read behind it.
class Exact {
 public:
  explicit Exact(std::span<const std::byte> bytes);
  [[nodiscard]] std::span<std::byte> bytes() const { return {memory_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t size_;
};

}  // namespace quorate::wire
