#include "tests/sim/mistakes.h"

#include "glog/logging.h"

namespace millrace::sim {

const std::vector<NamedMistake>& Mistakes() {
  static const std::vector<NamedMistake>& mistakes = *new std::vector<NamedMistake>{
      {Mistake::kLateBatchForgotten, "late_batch_forgotten"},
      {Mistake::kBatchAnnouncedTwice, "batch_announced_twice"},
      {Mistake::kJobsOfLostWorkerForgotten, "jobs_of_lost_worker_forgotten"},
      {Mistake::kTasksOfLostWorkerForgotten, "tasks_of_lost_worker_forgotten"},
      {Mistake::kSlotsOfFailedTasksKept, "slots_of_failed_tasks_kept"},
      {Mistake::kRecomputedOutputsCounted, "recomputed_outputs_counted"},
      {Mistake::kSecondAttemptsCounted, "second_attempts_counted"},
      {Mistake::kLostMapOutputsTrusted, "lost_map_outputs_trusted"},
      {Mistake::kLostCachedTrusted, "lost_cached_trusted"},
      {Mistake::kUnknownCachedKept, "unknown_cached_kept", "late_workers", "sliding_sum"},
      {Mistake::kSilentWorkersTrusted, "silent_workers_trusted"},
      {Mistake::kLostStateTakenAsNew, "lost_state_taken_as_new"},
      {Mistake::kLateMapOutputsKept, "late_map_outputs_kept", "partitions"},
      {Mistake::kRepeatedMapOutputsCounted, "repeated_map_outputs_counted"},
      {Mistake::kFailedAttemptsCounted, "failed_attempts_counted", "lost_answers", "large_shuffle"},
      {Mistake::kAbortedStateCommitted, "aborted_state_committed", "crashes", "map_state"},
      {Mistake::kAbortedStateHeld, "aborted_state_held"},
      {Mistake::kEpochUnchecked, "epoch_unchecked", "cut_off_driver"},
      {Mistake::kAckBeforeReplication, "ack_before_replication", "", "", "received_twice"},
      {Mistake::kBlockReportCountedTwice, "block_report_counted_twice", "driver_and_others_crash",
       "", "received_twice"},
      {Mistake::kBlocksDroppedEarly, "blocks_dropped_early", "overload_and_driver_crashes", "",
       "received"},
      {Mistake::kAckBeforeLog, "ack_before_log", "driver_crashes", "", "logged"},
      {Mistake::kStateSavedTooEarly, "state_saved_too_early", "restarts", "map_state"},
      {Mistake::kUnfinishedBatchesForgotten, "unfinished_batches_forgotten"},
      {Mistake::kSavedChangesForgotten, "saved_changes_forgotten", "restarts", "map_state"},
      {Mistake::kCheckpointAfterBatch, "checkpoint_after_batch", "driver_crashes", "", "log"},
      {Mistake::kUnnotedBatchMade, "unnoted_batch_made", "bad_disks_and_driver_crashes", "", "log"},
      {Mistake::kNeededStateRemoved, "needed_state_removed", "driver_crashes", "map_state"},
      {Mistake::kSubmissionStartedUnrecorded, "submission_started_unrecorded", "", "", "", true},
      {Mistake::kKillUnrecorded, "kill_unrecorded", "", "", "", true},
      {Mistake::kClaimedWorkersForgotten, "claimed_workers_forgotten", "", "", "", true},
      {Mistake::kGivenUpWorkersAdopted, "given_up_workers_adopted", "", "", "", true},
      {Mistake::kCoresFreedTwice, "cores_freed_twice", "", "", "", true},
      {Mistake::kFilesOfAbsentUnused, "files_of_absent_unused", "full_store", "", "", true},
      {Mistake::kReplacedDriverReadmitted, "replaced_driver_readmitted", "partitions", "", "",
       true},
  };
  CHECK_EQ(mistakes.size() + 1, static_cast<size_t>(Mistake::kEnd)) << "a mistake has no name";
  return mistakes;
}

}  // namespace millrace::sim
