// A source of one's own: random walks, stepped a thousand times a second.
//
//   scripts/run-example custom_receiver 8
//
// prints for each second how far each of 8 walkers got at most, as (walker,distance).
#include <millrace/millrace.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

using namespace std::chrono_literals;

namespace {

using Step = std::pair<int64_t, int64_t>;  // Walker, place.

class RandomWalks : public millrace::Receiver<Step> {
 public:
  explicit RandomWalks(int64_t walkers) : places_(static_cast<size_t>(walkers)) {}

  void OnStart() override {
    thread_ = std::thread([this] { Walk(); });
  }
  void OnStop() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  void Walk() {
    std::mt19937 random(std::random_device{}());
    std::unique_lock lock(mutex_);
    while (!stop_) {
      const size_t walker = random() % places_.size();
      places_[walker] += random() % 2 == 0 ? 1 : -1;
      Store(Step(static_cast<int64_t>(walker), places_[walker]));
      wake_.wait_for(lock, 1ms);
    }
  }

  std::vector<int64_t> places_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int walkers = argc == 2 ? std::atoi(argv[1]) : 0;
  if (walkers <= 0) {
    std::fprintf(stderr, "usage: custom_receiver WALKERS\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("CustomReceiver"), 1s);

  auto steps = ssc.ReceiverStream<RandomWalks>(walkers);
  auto distances = steps.MapValues([](int64_t place) { return place < 0 ? -place : place; });
  distances.ReduceByKey([](int64_t a, int64_t b) { return std::max(a, b); }).Print();

  return ssc.Run();
}
