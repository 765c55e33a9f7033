// Mistakes that are made on purpose, so that it can be seen that the simulator finds them.
#ifndef MILLRACE_COMMON_BASE_MISTAKE_H_
#define MILLRACE_COMMON_BASE_MISTAKE_H_

#include <cstdint>

namespace millrace {

// Each stands for one line that is wrong, or not there.
enum class Mistake : uint8_t {
  kNone,
  // Driver: batches and jobs.
  kLateBatchForgotten,         // Of batches that come due at once only the last one runs.
  kBatchAnnouncedTwice,        // After the wall clock was set back.
  kJobsOfLostWorkerForgotten,  // They wait for what was lost.
  kTasksOfLostWorkerForgotten,
  kSlotsOfFailedTasksKept,    // For ever.
  kRecomputedOutputsCounted,  // In accumulators, a second time.
  kSecondAttemptsCounted,     // Of a slow task that runs twice, as another task of its stage.
  // Driver: what workers keep.
  kLostMapOutputsTrusted,
  kLostCachedTrusted,
  kUnknownCachedKept,  // What a task has kept of a data set that was dropped meanwhile.
  kSilentWorkersTrusted,
  kLostStateTakenAsNew,
  // Workers.
  kLateMapOutputsKept,  // Of shuffles that were dropped.
  kRepeatedMapOutputsCounted,
  kFailedAttemptsCounted,  // What they had sent of a map output, with the next attempt's.
  kAbortedStateCommitted,
  kAbortedStateHeld,
  kEpochUnchecked,  // Of a driver that was replaced: what it says counts.
  // Receivers and their blocks.
  kAckBeforeReplication,     // Of records whose second copy is still under way.
  kBlockReportCountedTwice,  // One that comes from the block's second holder, too.
  kBlocksDroppedEarly,       // With a batch before theirs.
  kAckBeforeLog,             // Of records that are not in their receiver's log yet.
  // Recovery.
  kStateSavedTooEarly,          // As of a batch that was cut short.
  kUnfinishedBatchesForgotten,  // By the next driver.
  kSavedChangesForgotten,       // Of a state that is loaded: all but what was saved of it first.
  kCheckpointAfterBatch,        // Of what an input has chosen for it.
  kUnnotedBatchMade,            // Whose checkpoint could not be written.
  kNeededStateRemoved,          // That a kept checkpoint names.
  // Daemons.
  kSubmissionStartedUnrecorded,  // Its attempt is on the disk only then.
  kKillUnrecorded,
  kClaimedWorkersForgotten,  // That applications believe to run, after a restart of the daemon.
  kGivenUpWorkersAdopted,    // By the daemon after the one that gave them up.
  kCoresFreedTwice,          // When a worker is released, and when it has ended.
  kFilesOfAbsentUnused,      // Of applications that have not come back yet.
  kReplacedDriverReadmitted,
  kEnd,
};

#ifdef NDEBUG
// Builds for use make none.
constexpr bool IsMade(Mistake /*mistake*/) { return false; }
#else
namespace internal {
extern Mistake made_mistake;
}
inline bool IsMade(Mistake mistake) { return internal::made_mistake == mistake; }
// From here on, in the whole process. Before its threads start.
void Make(Mistake mistake);
#endif

}  // namespace millrace

#endif  // MILLRACE_COMMON_BASE_MISTAKE_H_
