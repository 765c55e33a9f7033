// Where streams begin, and their life: declared, started, stopped.
#ifndef MILLRACE_CLIENT_MILLRACE_STREAMING_CONTEXT_H_
#define MILLRACE_CLIENT_MILLRACE_STREAMING_CONTEXT_H_

#include <millrace/conf.h>
#include <millrace/context.h>
#include <millrace/dstream.h>
#include <millrace/streaming_listener.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/source/inputs.h"
#include "client/source/receiver_factory.h"
#include "client/source/stream_file_operators.h"
#include "common/base/source_location.h"
#include "common/record/storage_level.h"
#include "common/time/duration_param.h"
#include "executor/operator/lines.h"
#include "executor/operator/records_source.h"
#include "executor/receiver/socket_address.h"

namespace millrace {

namespace internal {
class StreamingCore;
}

// How StreamingContext::Stop stops.
struct StopOptions {
  // Process everything that was received; otherwise what runs is cancelled.
  bool graceful = false;
  // Stop the Context below too.
  bool stop_context = true;
};

// The life of a StreamingContext, never backwards.
enum class StreamingContextState { kInitialized, kActive, kStopped };

// Streams are declared on it, then it is started, then it runs until it is stopped; it never starts
// again. One of them may be active in a process at a time.
//
// Whatever is wrong (with the settings, with the streams) comes back from Start, all at once.
// Threads: streams are declared by one thread at a time; everything else may be called from any
// thread, and by the functions that run on the driver (Transform, ForeachRDD, listeners).
// The context must outlive its run: the destructor stops at once what is not stopped.
class StreamingContext {
 public:
  using Location = internal::Location;
  using Duration = internal::DurationParam;

  // `batch_interval`: at least 1 ms.
  StreamingContext(const Conf& conf, Duration batch_interval, Location at = Location::Current());
  // On a Context that may be used on its own as well.
  StreamingContext(Context context, Duration batch_interval, Location at = Location::Current());
  StreamingContext(StreamingContext&&) noexcept;
  StreamingContext& operator=(StreamingContext&&) noexcept;
  ~StreamingContext();

  // The context that `create`: () -> StreamingContext makes, which declares all streams and calls
  // Checkpoint(checkpoint_dir). Where there is a checkpoint in that directory, Start goes on from
  // it: batches that had not ended run again, with the files and offsets they had, those that came
  // due since run too, and state is what it was.
  //
  // A checkpoint holds data and no code, so `create` is always called and may make another program
  // than the last time. State is found again by the names of streams (DStream::Name), or, without
  // one, by where they stand in the graph; a state that no stream carries on or whose type has
  // changed is an error of Start, unless millrace.streaming.checkpoint.allowStateLoss is set.
  // In a cluster the same program has the workers of the one before, with what they have received,
  // if that one is gone for less than a grace time and `create` makes the Context too.
  //
  // DataLoss, Unimplemented: the newest checkpoint cannot be read; says what can be done.
  template <class Create>
  static absl::StatusOr<StreamingContext> GetOrCreate(const std::string& checkpoint_dir,
                                                      Create create,
                                                      Location at = Location::Current()) {
    const absl::Status usable = CheckCheckpointDirectory(checkpoint_dir);
    if (!usable.ok()) return usable;
    absl::StatusOr<StreamingContext> context = create();
    if (context.ok()) context->RecoverFrom(checkpoint_dir, at);
    return context;
  }

  // -- Life -------------------------------------------------------------------------------------

  // InvalidArgument: all that is wrong with settings and streams; the context is stopped then.
  // FailedPrecondition: stopped, or another context of the process is active.
  absl::Status Start(Location at = Location::Current());
  // Until the context is stopped, or a batch fails: its error. The context stays active then.
  absl::Status AwaitTermination();
  // True: stopped. False: the time is over. An error as above.
  absl::StatusOr<bool> AwaitTerminationOrTimeout(Duration timeout);
  // Not graceful; the Context too if millrace.streaming.stopSparkContextByDefault says so.
  void Stop();
  void Stop(StopOptions options);
  // Start, AwaitTermination, and an exit code: 0, or 1 after an error, which goes to standard
  // error. SIGTERM and SIGINT stop gracefully, a second one stops at once.
  int Run(Location at = Location::Current());
  // kActive from a successful Start until it is stopped; kStopped after a Start that failed, too.
  StreamingContextState State() const;

  // -- Before it starts -------------------------------------------------------------------------

  // Streams keep their data sets for at least that long, for Slice. Once.
  void Remember(Duration duration, Location at = Location::Current());
  // Where state and progress are saved. Streams with state need it.
  void Checkpoint(const std::string& directory, Location at = Location::Current());
  // Null is no listener.
  void AddStreamingListener(std::shared_ptr<StreamingListener> listener);

  // What runs the streams; may be used for data sets of its own.
  Context& context() { return context_; }
  std::chrono::milliseconds batch_interval() const;

  // -- Sources ----------------------------------------------------------------------------------

  // Lines from a TCP server; a lost connection is made again. InvalidArgument from Start when there
  // is no host or no port from 1 to 65535.
  DStream<std::string_view> SocketTextStream(const std::string& host, int port,
                                             StorageLevel level = StorageLevel::kMemoryAndDisk2,
                                             Location at = Location::Current()) {
    const internal::Operation operation{"SocketTextStream", at};
    return AddReceiver<std::string_view, internal::BlockLinesOperator>(
        operation, "Socket", "SocketTextReceiver",
        internal::SocketReceiverSpec(operation, *graph(), internal::kSocketTextReceiverName, host,
                                     port, level));
  }
  // Frames from a TCP server: a length of four bytes, the first one the highest, and as many bytes
  // of encoded records.
  template <class T>
  DStream<T> RawSocketStream(const std::string& host, int port,
                             StorageLevel level = StorageLevel::kMemoryAndDisk2,
                             Location at = Location::Current()) {
    const internal::Operation operation{"RawSocketStream", at};
    return AddReceiver<T, internal::BlockRecordsOperator<T>>(
        operation, "Raw socket", "RawSocketReceiver",
        internal::SocketReceiverSpec(operation, *graph(), internal::kRawSocketReceiverName, host,
                                     port, level));
  }
  // Lines of the files that come into a directory, which may have wildcards. See FileStreamOptions.
  DStream<std::string_view> TextFileStream(const std::string& directory,
                                           const FileStreamOptions& options = {},
                                           Location at = Location::Current());
  // Records of such files. parser: (std::string_view contents) -> range of T, or
  // (std::string_view contents, Emitter<T>&) -> void or absl::Status; runs on workers, once a file.
  template <class T, class Parser>
  DStream<T> FileStream(const std::string& directory, Parser parser,
                        const FileStreamOptions& options = {}, Location at = Location::Current()) {
    internal::CheckShippable<Parser>();
    auto op = internal::MakeSpec<internal::ParseFileOperator<T, Parser>>(
        internal::EncodeFunctions(parser), internal::OperatorLabel("FileStream", at),
        internal::BindingKind::kSplit);
    return DStream<T>(internal::AddFiles({"FileStream", at}, graph(), directory, options, Now(),
                                         [context = context_.state(), op = std::move(op)](
                                             const std::vector<internal::InputFile>& files) {
                                           return internal::ReadWholeFiles(
                                               context, op, internal::RecordOperators<T>(), files);
                                         }));
  }
  // One data set of `queue` a batch, or all that are there; `when_empty` (an empty data set unless
  // given) when there is none. `queue` outlives the context's run; once that has begun, it may be
  // changed under QueueMutex() only.
  template <class T>
  DStream<T> QueueStream(std::deque<RDD<T>>& queue, bool one_at_a_time = true,
                         RDD<T> when_empty = RDD<T>(), Location at = Location::Current()) {
    return DStream<T>(internal::AddGenerated(
        {"QueueStream", at}, graph(), "Queue",
        [context = context_.state(), mutex = queue_mutex_, &queue, one_at_a_time, when_empty](
            Time, int64_t*) -> absl::StatusOr<internal::RddRef> {
          std::vector<internal::RddRef> taken;
          const std::lock_guard lock(*mutex);
          while (!queue.empty() && (taken.empty() || !one_at_a_time)) {
            if (queue.front()) taken.push_back(queue.front().node());
            queue.pop_front();
          }
          if (taken.empty() && when_empty) return when_empty.node();
          return internal::MakeUnion(context, internal::RecordOperators<T>(), std::move(taken));
        }));
  }
  // Guards the queues of QueueStream while the context runs.
  std::mutex& QueueMutex() { return *queue_mutex_; }
  // The same data set in every batch.
  template <class T>
  DStream<T> ConstantStream(RDD<T> rdd, Location at = Location::Current()) {
    return DStream<T>(internal::AddGenerated(
        {"ConstantStream", at}, graph(), "Constant",
        [rdd = std::move(rdd)](Time, int64_t*) -> absl::StatusOr<internal::RddRef> {
          return rdd.node();
        },
        internal::IsRepeatable::kYes));
  }

  // What a receiver of one's own (millrace/receiver.h) takes in. Workers make it as R(args...), of
  // copies of the arguments, which are of record types.
  template <class R>
  DStream<typename R::RecordType> ReceiverStream(Location at = Location::Current()) {
    return AddReceiverOf<R>(at);
  }
  template <class R, class A>
  DStream<typename R::RecordType> ReceiverStream(A&& a, Location at = Location::Current()) {
    return AddReceiverOf<R>(at, std::forward<A>(a));
  }
  template <class R, class A, class B>
  requires(!std::is_same_v<std::decay_t<B>, internal::Location>)
      DStream<typename R::RecordType> ReceiverStream(A&& a, B&& b,
                                                     Location at = Location::Current()) {
    return AddReceiverOf<R>(at, std::forward<A>(a), std::forward<B>(b));
  }
  template <class R, class A, class B, class C>
  requires(!std::is_same_v<std::decay_t<C>, internal::Location>)
      DStream<typename R::RecordType> ReceiverStream(A&& a, B&& b, C&& c,
                                                     Location at = Location::Current()) {
    return AddReceiverOf<R>(at, std::forward<A>(a), std::forward<B>(b), std::forward<C>(c));
  }
  // More of them: the caller's place cannot be taken behind an open number of arguments.
  template <class R, class A, class B, class C, class D, class... Args>
  requires(!std::is_same_v<std::decay_t<D>, internal::Location>)
      DStream<typename R::RecordType> ReceiverStream(A&& a, B&& b, C&& c, D&& d, Args&&... args) {
    return AddReceiverOf<R>(Location(), std::forward<A>(a), std::forward<B>(b), std::forward<C>(c),
                            std::forward<D>(d), std::forward<Args>(args)...);
  }

  // -- Several streams --------------------------------------------------------------------------

  // The records of all streams, which have one slide. InvalidArgument from Start when there are
  // none.
  template <class T>
  DStream<T> Union(const std::vector<DStream<T>>& streams, Location at = Location::Current()) {
    if (streams.empty()) return DStream<T>(NoStreams({"Union", at}));
    return internal::UnionStreams("Union", at, streams);
  }
  // The data set that f makes of each batch's. f: (RDD<T1>, RDD<T2>, ...[, Time]) -> RDD<U> or
  // absl::StatusOr<RDD<U>>, on the driver, once a batch. The streams have one slide.
  template <class F, class T1>
  auto Transform(F f, const DStream<T1>& s1, Location at = Location::Current()) {
    return internal::TransformStreams("Transform", at, std::move(f), s1);
  }
  template <class F, class T1, class T2>
  auto Transform(F f, const DStream<T1>& s1, const DStream<T2>& s2,
                 Location at = Location::Current()) {
    return internal::TransformStreams("Transform", at, std::move(f), s1, s2);
  }
  template <class F, class T1, class T2, class T3>
  auto Transform(F f, const DStream<T1>& s1, const DStream<T2>& s2, const DStream<T3>& s3,
                 Location at = Location::Current()) {
    return internal::TransformStreams("Transform", at, std::move(f), s1, s2, s3);
  }
  template <class F, class T1, class T2, class T3, class T4, class... Ts>
  auto Transform(F f, const DStream<T1>& s1, const DStream<T2>& s2, const DStream<T3>& s3,
                 const DStream<T4>& s4, const DStream<Ts>&... others) {
    return internal::TransformStreams("Transform", Location(), std::move(f), s1, s2, s3, s4,
                                      others...);
  }

  // For sources and the test harness.
  const std::shared_ptr<internal::StreamGraph>& graph() const;
  internal::StreamingCore& core() const { return *core_; }
  explicit StreamingContext(std::shared_ptr<internal::StreamingCore> core);

 private:
  // Also that its newest checkpoint can be read.
  static absl::Status CheckCheckpointDirectory(const std::string& directory);
  void RecoverFrom(const std::string& directory, Location at);
  Time Now() const;
  internal::StreamRef NoStreams(const internal::Operation& operation) const;

  template <class T, class ReadOperator>
  DStream<T> AddReceiver(const internal::Operation& operation, const char* kind,
                         const char* receiver_class, const internal::ReceiverSpec& spec) {
    return DStream<T>(
        internal::AddReceiver(operation, graph(), kind, receiver_class, spec,
                              internal::MakeSpec<ReadOperator>("", internal::ToString(operation),
                                                               internal::BindingKind::kBlocks),
                              internal::RecordOperators<T>()));
  }
  template <class R, class... Args>
  DStream<typename R::RecordType> AddReceiverOf(Location at, Args&&... args) {
    using T = typename R::RecordType;
    return DStream<T>(internal::AddReceiver(
        {"ReceiverStream", at}, graph(), "Receiver", internal::ClassName(typeid(R)),
        internal::MakeReceiverSpec<R>(StorageLevel::kMemoryAndDisk2, std::forward<Args>(args)...),
        internal::MakeSpec<internal::BlockRecordsOperator<T>>(
            "", internal::OperatorLabel("ReceiverStream", at), internal::BindingKind::kBlocks),
        internal::RecordOperators<T>()));
  }

  // The core stops before the context goes.
  Context context_;
  std::shared_ptr<internal::StreamingCore> core_;
  std::shared_ptr<std::mutex> queue_mutex_ = std::make_shared<std::mutex>();
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_STREAMING_CONTEXT_H_
