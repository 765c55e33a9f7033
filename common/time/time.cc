#include "common/time/time.h"

#include <ostream>

namespace millrace {

std::vector<Time> Time::Until(Time end, Duration step) const {
  std::vector<Time> times;
  if (step.count() > 0) {
    for (Time time = *this; time < end; time += step) times.push_back(time);
  } else if (step.count() < 0) {
    for (Time time = *this; time > end; time += step) times.push_back(time);
  }
  return times;
}

std::vector<Time> Time::To(Time last, Duration step) const {
  return Until(last + Duration(step.count() < 0 ? -1 : 1), step);
}

std::string ToString(Time time) { return std::to_string(time.ms()) + " ms"; }

std::ostream& operator<<(std::ostream& os, Time time) { return os << ToString(time); }

}  // namespace millrace
