// The master millrace://host:port: an application in a cluster of daemons.
#ifndef MILLRACE_CLIENT_CLUSTER_DAEMON_CLUSTER_H_
#define MILLRACE_CLIENT_CLUSTER_DAEMON_CLUSTER_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "client/cluster/cluster_runtime.h"
#include "client/local/earlier_driver.h"
#include "client/local/runtime.h"
#include "common/config/conf.h"
#include "common/config/master_url.h"

namespace millrace::internal {

// A ClusterRuntime over workers that the driver daemon has started. This program and its
// millrace.files are sent there first, and it is registered. `options` says what is not about
// workers. It has those that `earlier` has left, if that is gone, and if this is the same program.
// FailedPrecondition: Init was not called, so this program cannot be a worker.
absl::StatusOr<std::shared_ptr<Runtime>> StartDaemonCluster(
    const ClusterMaster& master, const Conf& conf, const std::optional<EarlierDriver>& earlier,
    ClusterRuntime::Options options, FileSystem& fs);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_DAEMON_CLUSTER_H_
