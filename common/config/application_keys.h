// Keys of an application as a whole: where it runs, with how much, and how it is watched. Names,
// units and defaults are Spark's unless the comment says why not.
#ifndef MILLRACE_COMMON_CONFIG_APPLICATION_KEYS_H_
#define MILLRACE_COMMON_CONFIG_APPLICATION_KEYS_H_

#include "common/config/conf_key.h"

namespace millrace::keys {

// Where it runs.
inline constexpr OptionalStringKey kAppName{"millrace.app.name",
                                            "the application's name, for people"};
inline constexpr StringKey kMaster{
    "millrace.master", "local[*]", "",
    "local, local[N], local[*], local-cluster[workers,cores,memory_mb] or millrace://host:port"};
inline constexpr StringKey kDeployMode{
    "millrace.submit.deployMode", "client", "client|cluster",
    "whether the program's main runs where it is submitted or in the cluster"};
inline constexpr OptionalStringKey kFiles{
    "millrace.files", "files that are put into every worker's folder, separated by commas"};

// The driver.
inline constexpr BytesKey kDriverMemory{"millrace.driver.memory", "1g", "m", Above(0),
                                        "memory of the driver process"};
inline constexpr IntKey kDriverCores{"millrace.driver.cores", "1", AtLeast(1),
                                     "cores of the driver process in cluster mode"};
inline constexpr BoolKey kDriverSupervise{"millrace.driver.supervise", false,
                                          "start the driver again when it fails in cluster mode"};
inline constexpr OptionalStringKey kDriverHost{"millrace.driver.host",
                                               "the name under which workers reach the driver"};
inline constexpr IntKey kDriverPort{"millrace.driver.port", "0", Between(0, 65535),
                                    "the port on which workers reach the driver; 0: any"};
inline constexpr OptionalStringKey kDriverBindAddress{
    "millrace.driver.bindAddress",
    "the address on which the driver listens (millrace.driver.host when not set)"};

// Workers.
inline constexpr BytesKey kExecutorMemory{"millrace.executor.memory", "1g", "m", Above(0),
                                          "memory of each worker process"};
inline constexpr OptionalIntKey kExecutorCores{
    "millrace.executor.cores", AtLeast(1),
    "task slots of each worker process (all of the node when not set)"};
inline constexpr OptionalIntKey kExecutorInstances{"millrace.executor.instances", AtLeast(1),
                                                   "worker processes to ask for"};
inline constexpr OptionalIntKey kCoresMax{
    "millrace.cores.max", AtLeast(1),
    "task slots of the application in the whole cluster (all when not set)"};
// Spark keeps logs for ever, which fills the disks of applications that never end.
inline constexpr StringKey kExecutorLogsRollingStrategy{
    "millrace.executor.logs.rolling.strategy", "size", "none|time|size",
    "when a worker's stdout and stderr go on in a new file"};
inline constexpr DurationKey kExecutorLogsRollingInterval{
    "millrace.executor.logs.rolling.time.interval", "1d", "s", AtLeast(std::chrono::minutes(1)),
    "how long one log file is written to, with the strategy time"};
inline constexpr BytesKey kExecutorLogsRollingMaxSize{
    "millrace.executor.logs.rolling.maxSize", "64m", "b", AtLeast(4096),
    "how large a log file may get, with the strategy size"};
inline constexpr IntKey kExecutorLogsRollingMaxRetainedFiles{
    "millrace.executor.logs.rolling.maxRetainedFiles", "8", AtLeast(1), "log files that are kept"};

// The cluster.
inline constexpr DurationKey kWorkerTimeout{
    "millrace.worker.timeout", "60s", "s", Above(0),
    "silence after which the driver daemon gives an executor daemon up"};
inline constexpr IntKey kDeployMaxExecutorRetries{
    "millrace.deploy.maxExecutorRetries", "10", AtLeast(1),
    "worker processes that may fail in a row before their application is given up"};
inline constexpr OptionalIntKey kDeployDefaultCores{
    "millrace.deploy.defaultCores", AtLeast(1),
    "task slots of an application that does not set millrace.cores.max"};
inline constexpr BoolKey kDeploySpreadOut{
    "millrace.deploy.spreadOut", true,
    "spread an application over many nodes instead of filling few"};
inline constexpr BoolKey kAuthenticate{"millrace.authenticate", false,
                                       "peers must prove that they know the shared secret"};
inline constexpr OptionalStringKey kAuthenticateSecret{"millrace.authenticate.secret",
                                                       "the secret that peers share"};
inline constexpr OptionalStringKey kAuthenticateSecretFile{
    "millrace.authenticate.secretFile", "the file that holds the secret that peers share"};
inline constexpr OptionalStringKey kTlsCert{
    "millrace.tls.cert", "this side's certificates for mutual TLS, as a PEM file"};
inline constexpr OptionalStringKey kTlsKey{"millrace.tls.key",
                                           "the key of millrace.tls.cert, as a PEM file"};
inline constexpr OptionalStringKey kTlsCa{
    "millrace.tls.ca", "the certificates by which those of peers are checked, as a PEM file"};

// Watching it.
inline constexpr BoolKey kUiEnabled{"millrace.ui.enabled", true,
                                    "serve the application's UI, REST and metrics"};
inline constexpr IntKey kUiPort{"millrace.ui.port", "4040", Between(0, 65535),
                                "port of the UI, or the next free one; 0: any"};
inline constexpr BoolKey kShowConsoleProgress{
    "millrace.ui.showConsoleProgress", false,
    "show the last batch on a line of the terminal that updates"};
inline constexpr IntKey kRetainedJobs{"millrace.ui.retainedJobs", "1000", AtLeast(1),
                                      "finished jobs that the UI and REST remember"};
inline constexpr IntKey kRetainedStages{"millrace.ui.retainedStages", "1000", AtLeast(1),
                                        "finished stages that the UI and REST remember"};
inline constexpr BoolKey kEventLogEnabled{"millrace.eventLog.enabled", false,
                                          "write what happens to a file"};
inline constexpr StringKey kEventLogDir{"millrace.eventLog.dir", "/tmp/millrace-events", "",
                                        "where event logs are kept"};
// Spark's grow without end unless rolling is on, which fills the disks of applications that never
// end.
inline constexpr BytesKey kEventLogMaxSize{"millrace.eventLog.rolling.maxSize", "64m", "b",
                                           AtLeast(64 << 10),
                                           "how large a file of the event log may get"};
inline constexpr IntKey kEventLogMaxRetainedFiles{"millrace.eventLog.rolling.maxRetainedFiles", "4",
                                                  AtLeast(1),
                                                  "files of the event log that are kept"};
inline constexpr OptionalStringKey kMetricsNamespace{
    "millrace.metrics.namespace", "label of the application's metrics (its id when not set)"};

inline constexpr const ConfKeyInfo* kApplicationKeys[] = {
    &kAppName,
    &kMaster,
    &kDeployMode,
    &kFiles,
    &kDriverMemory,
    &kDriverCores,
    &kDriverSupervise,
    &kDriverHost,
    &kDriverPort,
    &kDriverBindAddress,
    &kExecutorMemory,
    &kExecutorCores,
    &kExecutorInstances,
    &kCoresMax,
    &kExecutorLogsRollingStrategy,
    &kExecutorLogsRollingInterval,
    &kExecutorLogsRollingMaxSize,
    &kExecutorLogsRollingMaxRetainedFiles,
    &kWorkerTimeout,
    &kDeployMaxExecutorRetries,
    &kDeployDefaultCores,
    &kDeploySpreadOut,
    &kAuthenticate,
    &kAuthenticateSecret,
    &kAuthenticateSecretFile,
    &kTlsCert,
    &kTlsKey,
    &kTlsCa,
    &kUiEnabled,
    &kUiPort,
    &kShowConsoleProgress,
    &kRetainedJobs,
    &kRetainedStages,
    &kEventLogEnabled,
    &kEventLogDir,
    &kEventLogMaxSize,
    &kEventLogMaxRetainedFiles,
    &kMetricsNamespace,
};

}  // namespace millrace::keys

#endif  // MILLRACE_COMMON_CONFIG_APPLICATION_KEYS_H_
