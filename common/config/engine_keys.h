// Keys of the engine below streams: tasks, scheduling, memory, shuffle, network. Names, units and
// defaults are Spark's unless the comment says why not.
#ifndef MILLRACE_COMMON_CONFIG_ENGINE_KEYS_H_
#define MILLRACE_COMMON_CONFIG_ENGINE_KEYS_H_

#include "common/config/conf_key.h"

namespace millrace::keys {

// Tasks and stages.
inline constexpr OptionalIntKey kDefaultParallelism{
    "millrace.default.parallelism", AtLeast(1),
    "partitions of a shuffle that names no number (all task slots when not set)"};
inline constexpr IntKey kTaskCpus{"millrace.task.cpus", "1", AtLeast(1),
                                  "cores that a task occupies"};
inline constexpr IntKey kTaskMaxFailures{"millrace.task.maxFailures", "4", AtLeast(1),
                                         "attempts of a task before its job fails"};
inline constexpr IntKey kStageMaxConsecutiveAttempts{
    "millrace.stage.maxConsecutiveAttempts", "4", AtLeast(1),
    "attempts of a stage whose inputs were lost before its job fails"};
// Spark waits 3 s for a task's preferred worker, longer than most batch intervals.
inline constexpr DurationKey kLocalityWait{
    "millrace.locality.wait", "0ms", "ms", AtLeast(0),
    "how long a task waits for a slot where its data is before it runs elsewhere"};
inline constexpr StringKey kSchedulerMode{"millrace.scheduler.mode", "FIFO", "FIFO|FAIR",
                                          "how jobs of one application share its slots"};
inline constexpr OptionalStringKey kSchedulerAllocationFile{
    "millrace.scheduler.allocation.file", "the file that describes the pools of FAIR scheduling"};
inline constexpr BoolKey kSpeculation{"millrace.speculation", false,
                                      "run slow tasks a second time elsewhere"};
// Spark looks every 100 ms, as long as many a batch takes.
inline constexpr DurationKey kSpeculationInterval{"millrace.speculation.interval", "10ms", "ms",
                                                  Above(0), "how often slow tasks are looked for"};
inline constexpr DoubleKey kSpeculationMultiplier{
    "millrace.speculation.multiplier", "1.5", AtLeast(1),
    "how many times slower than the median a task must be"};
inline constexpr DoubleKey kSpeculationQuantile{
    "millrace.speculation.quantile", "0.75", Between(0, 1),
    "part of a stage's tasks that must be done before any is called slow"};
inline constexpr DurationKey kSpeculationMinTaskRuntime{
    "millrace.speculation.minTaskRuntime", "50ms", "ms", AtLeast(0),
    "no task is called slow before it has run for so long"};
// Spark excludes nobody unless told to, and then after two failures: it does not compare workers.
inline constexpr BoolKey kExcludeOnFailureEnabled{
    "millrace.excludeOnFailure.enabled", true,
    "keep tasks for a while off workers on which they fail while they succeed elsewhere",
    "millrace.blacklist.enabled"};
// Spark's hour is too long for a stream that has lost a part of its slots.
inline constexpr DurationKey kExcludeOnFailureTimeout{"millrace.excludeOnFailure.timeout",
                                                      "60s",
                                                      "s",
                                                      Above(0),
                                                      "how long such a worker gets no tasks",
                                                      "millrace.blacklist.timeout"};
inline constexpr IntKey kMaxFailedTasksPerExecutor{
    "millrace.excludeOnFailure.application.maxFailedTasksPerExecutor", "16", Between(1, 64),
    "a worker is left out when as many of its last 64 tasks have failed there alone"};
inline constexpr IntKey kMaxFailedExecutorsPerNode{
    "millrace.excludeOnFailure.application.maxFailedExecutorsPerNode", "2", AtLeast(1),
    "workers of a host that are left out before the whole host is"};
inline constexpr BoolKey kDynamicAllocationEnabled{
    "millrace.dynamicAllocation.enabled", false,
    "ask for executors, and give them back, by how many tasks wait; not for streams"};

// Memory and storage.
inline constexpr DoubleKey kMemoryFraction{
    "millrace.memory.fraction", "0.6", Between(0.01, 1),
    "part of a worker's memory for blocks, cached data, shuffles and state"};
inline constexpr DoubleKey kMemoryStorageFraction{
    "millrace.memory.storageFraction", "0.5", Between(0, 1),
    "part of that which stored blocks need not give up to running tasks"};
inline constexpr StringKey kLocalDir{"millrace.local.dir", "/tmp", "",
                                     "where workers spill to; several, separated by commas"};
// Spark leaves a block that lost its second copy with one; that is how received data gets lost.
inline constexpr BoolKey kReplicationProactive{
    "millrace.storage.replication.proactive", true,
    "make a new second copy of a block when a worker is lost"};
inline constexpr BytesKey kDriverMaxResultSize{
    "millrace.driver.maxResultSize", "1g", "b", AtLeast(0),
    "results of one job that the driver takes before the job fails; 0: no limit"};

// Compression.
inline constexpr StringKey kCompressionCodec{"millrace.io.compression.codec", "lz4", "lz4|zstd",
                                             "how shuffle data is compressed"};
inline constexpr BoolKey kShuffleCompress{"millrace.shuffle.compress", true,
                                          "compress shuffle data between hosts"};
inline constexpr BoolKey kRddCompress{"millrace.rdd.compress", false, "compress cached partitions"};
inline constexpr BoolKey kCheckpointCompress{"millrace.checkpoint.compress", false,
                                             "compress checkpointed data"};

// Network.
inline constexpr DurationKey kNetworkTimeout{
    "millrace.network.timeout", "120s", "s", Above(0),
    "silence after which a peer counts as lost; for every wait without a limit of its own"};
inline constexpr DurationKey kRpcAskTimeout{"millrace.rpc.askTimeout", "120s", "s", Above(0),
                                            "how long a request waits for its answer"};
inline constexpr DurationKey kExecutorHeartbeatInterval{
    "millrace.executor.heartbeatInterval", "10s", "ms", Above(0),
    "how often a worker says that it lives; well below millrace.network.timeout"};
inline constexpr IntKey kPortMaxRetries{"millrace.port.maxRetries", "16", Between(0, 65535),
                                        "ports that are tried after one that is taken"};
inline constexpr IntKey kBlockManagerPort{"millrace.blockManager.port", "0", Between(0, 65535),
                                          "port on which workers exchange blocks; 0: any"};

inline constexpr const ConfKeyInfo* kEngineKeys[] = {
    &kDefaultParallelism,
    &kTaskCpus,
    &kTaskMaxFailures,
    &kStageMaxConsecutiveAttempts,
    &kLocalityWait,
    &kSchedulerMode,
    &kSchedulerAllocationFile,
    &kSpeculation,
    &kSpeculationInterval,
    &kSpeculationMultiplier,
    &kSpeculationQuantile,
    &kSpeculationMinTaskRuntime,
    &kExcludeOnFailureEnabled,
    &kExcludeOnFailureTimeout,
    &kMaxFailedTasksPerExecutor,
    &kMaxFailedExecutorsPerNode,
    &kDynamicAllocationEnabled,
    &kMemoryFraction,
    &kMemoryStorageFraction,
    &kLocalDir,
    &kReplicationProactive,
    &kDriverMaxResultSize,
    &kCompressionCodec,
    &kShuffleCompress,
    &kRddCompress,
    &kCheckpointCompress,
    &kNetworkTimeout,
    &kRpcAskTimeout,
    &kExecutorHeartbeatInterval,
    &kPortMaxRetries,
    &kBlockManagerPort,
};

}  // namespace millrace::keys

#endif  // MILLRACE_COMMON_CONFIG_ENGINE_KEYS_H_
