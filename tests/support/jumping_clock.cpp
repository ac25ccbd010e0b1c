// Loaded before a program's own libraries: the clock on the wall jumps an hour ahead and two back, again and
// again. The others go on as they are.
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

time_t next_jump() {
  static std::atomic<unsigned> n_asked{0};
  return n_asked++ % 2 == 0 ? 3600 : -3600;
}

int real_time(clockid_t clock, timespec* to) {
  return static_cast<int>(::syscall(SYS_clock_gettime, clock, to));
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* to) noexcept {
  const int result = real_time(clock, to);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) to->tv_sec += next_jump();
  return result;
}

extern "C" int gettimeofday(timeval* to, void*) noexcept {
  timespec now{};
  real_time(CLOCK_REALTIME, &now);
  to->tv_sec = now.tv_sec + next_jump();
  to->tv_usec = now.tv_nsec / 1000;
  return 0;
}

extern "C" time_t time(time_t* to) noexcept {
  timespec now{};
  real_time(CLOCK_REALTIME, &now);
  now.tv_sec += next_jump();
  if (to != nullptr) *to = now.tv_sec;
  return now.tv_sec;
}
