#include "log/file_error.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace quorate::log {

Error file_error(std::string_view operation, std::string_view path, std::int32_t result) {
  const int number = result < 0 ? -result : EIO;
  std::string text(operation);
  text.append(" of ").append(path).append(": ");
  text.append(result == 0 ? "nothing was written" : std::strerror(number));
  return Error(Errc::io, std::move(text), number);
}

Error read_refused(Error refusal) {
  refusal.text += "; nothing is given up for it: start again when it can be read";
  return refusal;
}

bool is_out_of_space(std::int32_t result) noexcept {
  return result == -ENOSPC || result == -EDQUOT;
}

bool is_passing(std::int32_t result) noexcept { return result == -EINTR || result == -EAGAIN; }

}  // namespace quorate::log
