// Keys of streams: batches, receivers, sources, backpressure. Names, units and defaults are Spark's
// unless the comment says why not.
#ifndef MILLRACE_COMMON_CONFIG_STREAMING_KEYS_H_
#define MILLRACE_COMMON_CONFIG_STREAMING_KEYS_H_

#include "common/config/conf_key.h"

namespace millrace::keys {

// Batches.
inline constexpr IntKey kConcurrentJobs{
    "millrace.streaming.concurrentJobs", "1", AtLeast(1),
    "jobs of batches that run at once; with more than 1, batches may finish out of order"};
inline constexpr DurationKey kBatchJitter{
    "millrace.streaming.batchJitter", "0ms", "ms", AtLeast(0),
    "how late batches may begin, each application by a share of its own that its name decides, so "
    "that applications of one interval do not all ask their sources at once; batch times stay"};
inline constexpr BoolKey kUnpersist{
    "millrace.streaming.unpersist", true,
    "drop a batch's cached data and received blocks once no later batch needs them"};
inline constexpr OptionalStringKey kCheckpointDirectory{
    "millrace.streaming.checkpoint.directory",
    "where to keep checkpoints; switches checkpointing on"};
inline constexpr BoolKey kCheckpointAllowStateLoss{
    "millrace.streaming.checkpoint.allowStateLoss", false,
    "go on from a checkpoint although it has states that the program does not match; they are "
    "lost"};
inline constexpr StringKey kClock{"millrace.streaming.clock", "system", "system|manual",
                                  "the clock that batches follow; manual is for tests"};
inline constexpr DurationKey kManualClockJump{
    "millrace.streaming.manualClock.jump", "0ms", "ms", AtLeast(0),
    "how far a manual clock stands after the checkpoint's time when the driver recovers"};
inline constexpr IntKey kRetainedBatches{"millrace.streaming.ui.retainedBatches", "1000",
                                         AtLeast(1),
                                         "completed batches that the UI and REST remember"};
inline constexpr IntKey kDeltaChainThreshold{
    "millrace.streaming.sessionByKey.deltaChainThreshold", "20", AtLeast(1),
    "state changes written one after the other before they are folded into a full snapshot"};

// Stopping. A signal stops gracefully, for otherwise received data would be dropped (Spark: false).
inline constexpr BoolKey kStopGracefullyOnShutdown{
    "millrace.streaming.stopGracefullyOnShutdown", true,
    "process everything received before a signal ends the application"};
inline constexpr OptionalDurationKey kGracefulStopTimeout{
    "millrace.streaming.gracefulStopTimeout", "ms", AtLeast(0),
    "how long a graceful stop may take (10 batch intervals when not set)"};
inline constexpr BoolKey kStopContextByDefault{
    "millrace.streaming.stopSparkContextByDefault", true,
    "stopping a streaming context also stops the context below it"};

// Receivers and blocks.
inline constexpr DurationKey kBlockInterval{
    "millrace.streaming.blockInterval", "200ms", "ms", AtLeast(std::chrono::milliseconds(1)),
    "how often a receiver cuts a block; each block is a partition of its batch"};
inline constexpr IntKey kBlockQueueSize{"millrace.streaming.blockQueueSize", "10", AtLeast(1),
                                        "cut blocks that may wait to be stored, for each receiver"};
inline constexpr IntKey kReceiverMaxRate{
    "millrace.streaming.receiver.maxRate", "0", AnyNumber(),
    "records a second that a receiver may take; 0 or less: no limit"};
inline constexpr DurationKey kBlockStoreTimeout{"millrace.streaming.receiver.blockStoreTimeout",
                                                "30s", "s", Above(0),
                                                "how long storing a received block may take"};
inline constexpr DurationKey kReceiverRestartDelay{
    "millrace.streaming.receiverRestartDelay", "2000ms", "ms", AtLeast(0),
    "how long a receiver that failed waits before it starts again"};
inline constexpr BytesKey kMaxLineBytes{"millrace.streaming.maxLineBytes", "16m", "b",
                                        Between(1, 1 << 30),
                                        "the longest line that a text source takes"};

// Write-ahead logs: of received data, and of the driver.
inline constexpr BoolKey kReceiverLogEnable{
    "millrace.streaming.receiver.writeAheadLog.enable", false,
    "log received data before it is acknowledged; needs a checkpoint directory"};
inline constexpr DurationKey kReceiverLogRollingInterval{
    "millrace.streaming.receiver.writeAheadLog.rollingIntervalSecs", "60s", "s",
    AtLeast(std::chrono::seconds(1)), "how long one file of the receiver log is written to"};
inline constexpr IntKey kReceiverLogMaxFailures{
    "millrace.streaming.receiver.writeAheadLog.maxFailures", "3", AtLeast(1),
    "attempts to write to the receiver log before the block's store fails"};
inline constexpr BoolKey kReceiverLogCloseFileAfterWrite{
    "millrace.streaming.receiver.writeAheadLog.closeFileAfterWrite", false,
    "a file for each write, for stores that cannot flush"};
inline constexpr DurationKey kDriverLogRollingInterval{
    "millrace.streaming.driver.writeAheadLog.rollingIntervalSecs", "60s", "s",
    AtLeast(std::chrono::seconds(1)), "how long one file of the driver log is written to"};
inline constexpr IntKey kDriverLogMaxFailures{
    "millrace.streaming.driver.writeAheadLog.maxFailures", "3", AtLeast(1),
    "attempts to write to the driver log before its batch fails"};
inline constexpr BoolKey kDriverLogCloseFileAfterWrite{
    "millrace.streaming.driver.writeAheadLog.closeFileAfterWrite", false,
    "a file for each write, for stores that cannot flush"};
inline constexpr BoolKey kDriverLogAllowBatching{
    "millrace.streaming.driver.writeAheadLog.allowBatching", true,
    "write events that wait for the driver log together"};
inline constexpr DurationKey kDriverLogBatchingTimeout{
    "millrace.streaming.driver.writeAheadLog.batchingTimeout", "5000ms", "ms", Above(0),
    "how long an event may wait to be in the driver log"};

// Backpressure.
inline constexpr BoolKey kBackpressureEnabled{
    "millrace.streaming.backpressure.enabled", false,
    "limit each stream's rate to what its batches can process, and the bytes that wait for that"};
inline constexpr OptionalIntKey kBackpressureInitialRate{
    "millrace.streaming.backpressure.initialRate", AtLeast(1),
    "records a second before the first estimate (a slow start when not set)"};
inline constexpr StringKey kBackpressureRateEstimator{
    "millrace.streaming.backpressure.rateEstimator", "pid", "pid", "how the rate is estimated"};
inline constexpr DoubleKey kPidProportional{"millrace.streaming.backpressure.pid.proportional",
                                            "1.0", AtLeast(0), "weight of the last batch's error"};
inline constexpr DoubleKey kPidIntegral{"millrace.streaming.backpressure.pid.integral", "0.2",
                                        AtLeast(0), "weight of the accumulated delay"};
inline constexpr DoubleKey kPidDerived{"millrace.streaming.backpressure.pid.derived", "0.0",
                                       AtLeast(0), "weight of the error's change"};
inline constexpr DoubleKey kPidMinRate{
    "millrace.streaming.backpressure.pid.minRate", "100", Above(0),
    "records a second that are undercut only when batches take longer than their interval at less"};

// Sources.
inline constexpr DurationKey kFileMinRememberDuration{
    "millrace.streaming.fileStream.minRememberDuration",
    "60s",
    "s",
    Above(0),
    "how old a file may be when it is first seen, and how long it is remembered",
    "millrace.streaming.minRememberDuration"};
inline constexpr IntKey kLogMaxRatePerPartition{
    "millrace.streaming.log.maxRatePerPartition", "0", AtLeast(0),
    "records a second read of a log's partition; 0: no limit"};
inline constexpr IntKey kLogMinRatePerPartition{
    "millrace.streaming.log.minRatePerPartition", "1", AtLeast(0),
    "records a batch read of a log's partition whatever backpressure says"};
inline constexpr IntKey kKafkaMaxRatePerPartition{
    "millrace.streaming.kafka.maxRatePerPartition", "0", AtLeast(0),
    "records a second read of a topic partition; 0: no limit"};
inline constexpr IntKey kKafkaMinRatePerPartition{
    "millrace.streaming.kafka.minRatePerPartition", "1", AtLeast(0),
    "records a second read of a topic partition whatever backpressure says"};
inline constexpr BoolKey kKafkaAllowNonConsecutiveOffsets{
    "millrace.streaming.kafka.allowNonConsecutiveOffsets", false,
    "accept gaps in a topic's offsets, as compaction and transactions leave them"};
inline constexpr BoolKey kKafkaConsumerCacheEnabled{
    "millrace.streaming.kafka.consumer.cache.enabled", true,
    "keep a topic partition's consumer from batch to batch"};
inline constexpr IntKey kKafkaConsumerCacheMaxCapacity{
    "millrace.streaming.kafka.consumer.cache.maxCapacity", "64", AtLeast(1),
    "consumers that a worker keeps"};
inline constexpr OptionalDurationKey kKafkaConsumerPoll{
    "millrace.streaming.kafka.consumer.poll.ms", "ms", Above(0),
    "how long a task waits for a broker (millrace.network.timeout when not set)"};
inline constexpr DurationKey kKinesisRetryWaitTime{"millrace.streaming.kinesis.retry.waitTime",
                                                   "100ms", "ms", AtLeast(0),
                                                   "wait before a request is made again"};
inline constexpr IntKey kKinesisRetryMaxAttempts{"millrace.streaming.kinesis.retry.maxAttempts",
                                                 "3", AtLeast(1), "attempts to make a request"};

// Executors that come and go with the load.
inline constexpr BoolKey kStreamingDynamicAllocationEnabled{
    "millrace.streaming.dynamicAllocation.enabled", false,
    "ask for executors, and give them back, by how long batches take"};
inline constexpr DurationKey kScalingInterval{
    "millrace.streaming.dynamicAllocation.scalingInterval", "60s", "s", Above(0),
    "how often the number of executors is looked at"};
inline constexpr DoubleKey kScalingUpRatio{
    "millrace.streaming.dynamicAllocation.scalingUpRatio", "0.9", Above(0),
    "processing time by batch interval from which executors are added"};
inline constexpr DoubleKey kScalingDownRatio{
    "millrace.streaming.dynamicAllocation.scalingDownRatio", "0.3", Above(0),
    "processing time by batch interval up to which an executor is given back"};
inline constexpr OptionalIntKey kStreamingMinExecutors{
    "millrace.streaming.dynamicAllocation.minExecutors", AtLeast(1),
    "executors that are kept (as many as receivers, at least 1, when not set)"};
inline constexpr OptionalIntKey kStreamingMaxExecutors{
    "millrace.streaming.dynamicAllocation.maxExecutors", AtLeast(1),
    "executors that are not exceeded (no limit when not set)"};

inline constexpr const ConfKeyInfo* kStreamingKeys[] = {
    &kConcurrentJobs,
    &kBatchJitter,
    &kUnpersist,
    &kCheckpointDirectory,
    &kCheckpointAllowStateLoss,
    &kClock,
    &kManualClockJump,
    &kRetainedBatches,
    &kDeltaChainThreshold,
    &kStopGracefullyOnShutdown,
    &kGracefulStopTimeout,
    &kStopContextByDefault,
    &kBlockInterval,
    &kBlockQueueSize,
    &kReceiverMaxRate,
    &kBlockStoreTimeout,
    &kReceiverRestartDelay,
    &kMaxLineBytes,
    &kReceiverLogEnable,
    &kReceiverLogRollingInterval,
    &kReceiverLogMaxFailures,
    &kReceiverLogCloseFileAfterWrite,
    &kDriverLogRollingInterval,
    &kDriverLogMaxFailures,
    &kDriverLogCloseFileAfterWrite,
    &kDriverLogAllowBatching,
    &kDriverLogBatchingTimeout,
    &kBackpressureEnabled,
    &kBackpressureInitialRate,
    &kBackpressureRateEstimator,
    &kPidProportional,
    &kPidIntegral,
    &kPidDerived,
    &kPidMinRate,
    &kFileMinRememberDuration,
    &kLogMaxRatePerPartition,
    &kLogMinRatePerPartition,
    &kKafkaMaxRatePerPartition,
    &kKafkaMinRatePerPartition,
    &kKafkaAllowNonConsecutiveOffsets,
    &kKafkaConsumerCacheEnabled,
    &kKafkaConsumerCacheMaxCapacity,
    &kKafkaConsumerPoll,
    &kKinesisRetryWaitTime,
    &kKinesisRetryMaxAttempts,
    &kStreamingDynamicAllocationEnabled,
    &kScalingInterval,
    &kScalingUpRatio,
    &kScalingDownRatio,
    &kStreamingMinExecutors,
    &kStreamingMaxExecutors,
};

}  // namespace millrace::keys

#endif  // MILLRACE_COMMON_CONFIG_STREAMING_KEYS_H_
