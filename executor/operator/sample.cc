#include "executor/operator/sample.h"

#include <cmath>

namespace millrace::internal {
namespace {

// exp(-x) is a number well above 0 up to here; a larger mean is drawn in parts.
constexpr double kPoissonMeanMax = 500;
// More often a record is not taken on average, whatever a plan asks for: it could not be stopped
// within one.
constexpr double kFractionMax = 10'000;

SampleParams Bounded(SampleParams params) {
  const bool is_number = params.fraction >= 0;
  params.fraction = is_number ? std::fmin(params.fraction, kFractionMax) : 0;
  return params;
}

}  // namespace

SampleCounts::SampleCounts(const SampleParams& params, int partition)
    : params_(Bounded(params)),
      exp_minus_fraction_(std::exp(-std::fmin(params_.fraction, kPoissonMeanMax))),
      random_(params.seed, static_cast<uint64_t>(partition)) {}

uint32_t SampleCounts::Next() {
  if (!params_.with_replacement) return random_.NextDouble() < params_.fraction ? 1 : 0;
  return Poisson();
}

// Knuth: how many uniform numbers can be multiplied before the product falls below exp(-mean).
uint32_t SampleCounts::Poisson() {
  uint32_t count = 0;
  for (double left = params_.fraction; left > 0; left -= kPoissonMeanMax) {
    const double limit =
        left >= kPoissonMeanMax || left == params_.fraction ? exp_minus_fraction_ : std::exp(-left);
    for (double product = random_.NextDouble(); product > limit; product *= random_.NextDouble()) {
      ++count;
    }
  }
  return count;
}

}  // namespace millrace::internal
